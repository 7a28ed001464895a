"""The ratio of two interleaved artifacts, on simulated blocks."""

import numpy as np
import numpy.typing as npt
import pytest
from trimtab.measure.compare import Blocks, Comparison, compare, sentence

SAMPLES, BLOCKS, REPEATS = 40, 12, 6


def simulated(
    rng: np.random.Generator, slower: float = 1.0, repeats: int = REPEATS
) -> tuple[list[Blocks], list[Blocks]]:
    """Autocorrelated samples (0.9), a drift both share, and 1 % between processes."""
    first: list[Blocks] = []
    second: list[Blocks] = []
    for _ in range(repeats):
        drift = np.cumsum(rng.normal(0, 0.01, BLOCKS))
        for side, factor in ((first, 1.0), (second, slower)):
            level = 1e6 * factor * np.exp(drift + rng.normal(0, 0.01))
            side.append({index: block(rng, level[index]) for index in range(BLOCKS)})
    return first, second


def block(rng: np.random.Generator, level: float) -> npt.NDArray[np.int64]:
    noise = rng.normal(0, 0.02, SAMPLES)
    for index in range(1, SAMPLES):
        noise[index] += 0.9 * noise[index - 1]
    return np.asarray(level * np.exp(noise), dtype=np.int64)


def verdicts(count: int, slower: float, repeats: int = REPEATS) -> list[str]:
    rng = np.random.default_rng(1)
    found = [compare(*simulated(rng, slower, repeats)) for _ in range(count)]
    return [each.verdict for each in found if isinstance(each, Comparison)]


def test_a_model_against_itself_is_seldom_called_different() -> None:
    said = verdicts(400, 1.0)
    assert len(said) == 400
    false_alarms = sum(verdict != "no difference seen" for verdict in said)
    # 5 % of 400 is 20, four standard deviations either side: pooling all pairs as if they were
    # independent would give several times as many.
    assert 3 <= false_alarms <= 38


def test_ten_repeats_find_a_slow_down_of_three_percent_and_more_of_them_than_six() -> None:
    # Six find some 80 % of them where processes differ by 1 %: a quick look, not a gate.
    said = verdicts(60, 1.03, repeats=10)
    assert said.count("faster") >= 54  # A is the faster one
    assert "slower" not in said
    assert verdicts(60, 1.03).count("faster") < said.count("faster")


def blocks(*medians: float) -> list[Blocks]:
    return [{0: np.array([median, median, 9 * median], dtype=np.int64)} for median in medians]


def test_the_ratio_pairs_block_by_block() -> None:
    first: list[Blocks] = [{0: np.array([100]), 1: np.array([400])}]
    second: list[Blocks] = [{0: np.array([200]), 1: np.array([200]), 2: np.array([9])}]
    found = compare(first, second)
    assert isinstance(found, Comparison)
    assert found.ratio == pytest.approx(1.0)
    assert found.pair_count == 2
    assert found.verdict == "undecided"
    assert "no interval" in sentence(found, "a", "b")


def test_without_a_pair_there_is_no_figure() -> None:
    assert compare([], []) == "no pair of blocks was measured"
    assert compare([{0: np.array([1])}], [{1: np.array([1])}]) == "no pair of blocks was measured"


@pytest.mark.parametrize(
    ("ratios", "said"),
    [
        ((0.892, 0.893, 0.894), "a is 12 % faster than b [12 %, 12 %]"),
        ((1.12, 1.121, 1.119), "a is 12 % slower than b [12 %, 12 %]"),
        ((0.99, 1.0, 1.01), "a and b: no difference seen (resolution 2.5 %)"),
    ],
)
def test_the_sentence(ratios: tuple[float, ...], said: str) -> None:
    found = compare(blocks(*(1e6 * ratio for ratio in ratios)), blocks(1e6, 1e6, 1e6))
    assert isinstance(found, Comparison)
    assert sentence(found, "a", "b") == said


def test_who_is_faster_turns_with_the_order() -> None:
    rng = np.random.default_rng(2)
    a, b = simulated(rng, 1.5)
    there, back = compare(a, b), compare(b, a)
    assert isinstance(there, Comparison)
    assert isinstance(back, Comparison)
    assert (there.verdict, back.verdict) == ("faster", "slower")
    assert there.ratio * back.ratio == pytest.approx(1.0)
    assert sentence(there, "x", "y").split(" is ")[1].split(" faster")[0] in sentence(
        back, "y", "x"
    )
