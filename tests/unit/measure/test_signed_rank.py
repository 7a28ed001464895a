"""The signed-rank interval against its table and by simulation."""

import numpy as np
import pytest
from trimtab.measure import signed_rank


@pytest.mark.parametrize(("count", "from_each_end"), [(6, 1), (7, 3), (10, 9), (12, 14), (20, 53)])
def test_the_interval_ends_where_the_published_table_says(count: int, from_each_end: int) -> None:
    # Hollander, Wolfe and Chicken, table A.4: critical values of the signed ranks at 0.025 a side.
    values = np.random.default_rng(count).normal(size=count)
    averages = sorted((a + b) / 2 for i, a in enumerate(values) for b in values[i:])
    expected = (averages[from_each_end - 1], averages[-from_each_end])
    assert signed_rank.interval(values.tolist()) == pytest.approx(expected)


def test_of_six_it_reaches_from_the_lowest_to_the_highest() -> None:
    assert signed_rank.interval([3.0, 1.0, 2.0, 6.0, 5.0, 4.0]) == (1.0, 6.0)


def test_five_values_have_none() -> None:
    assert signed_rank.interval([1.0, 2.0, 3.0, 4.0, 5.0]) is None


def test_one_value_far_away_hardly_moves_the_centre_and_not_the_interval_of_twelve() -> None:
    values = [0.01 * number for number in range(-5, 6)]
    beside = (*values, 0.06)
    far = (*values, 100.0)
    assert signed_rank.centre(far) == pytest.approx(signed_rank.centre(beside), abs=0.011)
    interval = signed_rank.interval(far)
    assert interval is not None
    assert interval[1] < 0.06


@pytest.mark.parametrize("count", [6, 12])
def test_it_holds_the_centre_however_heavy_the_tails(count: int) -> None:
    rng = np.random.default_rng(7)
    found = [signed_rank.interval(rng.standard_t(1.5, count).tolist()) for _ in range(2000)]
    held = sum(low <= 0 <= high for low, high in (each for each in found if each is not None))
    assert 1880 <= held <= 1960  # 96.9 % and 95.8 %; never all: it must be able to miss
