"""The set of layers that stays out of int8: the smallest that keeps the limit, with few tries."""

import pytest
from trimtab.compress.passes.quantization.layer_selection import (
    Candidate,
    Keys,
    NothingKeeps,
    select,
)
from trimtab.compress.passes.quantization.layers import Operator, followers


class Additive:
    """The limit holds while the noise of the layers in int8 stays below it."""

    def __init__(self, candidates: list[Candidate], limit: float) -> None:
        self._candidates = candidates
        self._limit = limit
        self.tried: list[Keys] = []

    def __call__(self, kept: Keys) -> bool:
        self.tried.append(kept)
        noise = sum(each.noise for each in self._candidates if each.key not in kept)
        return noise <= self._limit


def layers(*noises: float, gains: tuple[float, ...] = ()) -> list[Candidate]:
    gains = gains or (1.0,) * len(noises)
    pairs = zip(noises, gains, strict=True)
    return [Candidate(f"l{index}", noise, gain) for index, (noise, gain) in enumerate(pairs)]


def test_nothing_is_kept_out_where_all_in_int8_keep_the_limit() -> None:
    candidates = layers(0.1, 0.2, 0.1)
    limit = Additive(candidates, 1)
    assert select(candidates, limit) == frozenset()
    assert len(limit.tried) == 1


def test_the_fragile_layers_are_kept_out_and_no_others() -> None:
    candidates = layers(*(0.01,) * 20, 5, 7, *(0.01,) * 20)
    limit = Additive(candidates, 1)
    assert select(candidates, limit) == {"l20", "l21"}
    assert len(limit.tried) <= 10  # not one a layer


def test_a_layer_that_costs_many_bytes_is_given_back_where_smaller_ones_do() -> None:
    """Ranked by noise per byte all three go out; without the large one the limit holds too."""
    candidates = layers(3, 2, 300, 0.1, gains=(1, 1, 1000, 1))
    chosen = select(candidates, Additive(candidates, 302.5))
    assert "l2" not in chosen


def test_layer_that_saves_nothing_is_never_int8() -> None:
    candidates = layers(0, 0.1, 0.1)
    assert select(candidates, Additive(candidates, 1), never=["l0"]) == {"l0"}


def test_limit_that_no_quantized_layer_keeps_is_said() -> None:
    candidates = layers(2, 2, 2)
    with pytest.raises(NothingKeeps):
        select(candidates, Additive(candidates, 1))
    with pytest.raises(NothingKeeps):
        select(candidates, Additive(candidates, 10), never=["l0", "l1", "l2"])


def operator(key: str, reads: str, writes: str, is_layer: bool = False) -> Operator:
    return Operator(key, key, key, tuple(reads.split()), tuple(writes.split()), is_layer)


CHAIN = (
    operator("conv1", "image", "a", is_layer=True),
    operator("relu", "a", "b"),
    operator("pool", "b", "c"),
    operator("conv2", "c", "d", is_layer=True),
    operator("add", "b d", "e"),
    operator("conv3", "e", "f", is_layer=True),
)


def keys(kept: set[str]) -> set[str]:
    return {each.key for each in followers(CHAIN, kept)}


def test_what_stands_between_two_kept_layers_follows_them() -> None:
    assert keys({"conv1", "conv2"}) == {"relu", "pool", "add"}


def test_one_kept_neighbour_takes_an_addition_along_and_no_pooling_before_an_int8_layer() -> None:
    assert keys({"conv3"}) == {"add"}
    assert keys({"conv2"}) == {"add"}


def test_nothing_follows_where_nothing_is_kept() -> None:
    assert keys(set()) == set()
