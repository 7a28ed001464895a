import math
import statistics

import numpy as np
import pytest
from scipy.stats import binom, t, ttest_ind
from trimtab.measure import stats


def samples(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(("quantile", "count"), [(0.9, 64), (0.95, 130), (0.99, 662)])
def test_a_percentile_needs_the_samples_that_mlperf_asks_for(quantile: float, count: int) -> None:
    assert stats.required_samples(quantile) == count
    assert binom.cdf(1, count, 1 - quantile) <= 0.01 < binom.cdf(1, count - 1, 1 - quantile)


def test_a_percentile_with_one_sample_too_few_says_how_many_it_needs() -> None:
    short = [np.arange(1, 64, dtype=np.int64)]
    assert str(stats.statistic("p90", short)) == "needs 64 samples, had 63"
    enough = [*short, samples(64)]
    assert isinstance(stats.statistic("p90", enough), stats.Figure)


def test_each_repeat_counts_the_same_however_many_samples_it_has() -> None:
    repeats = [samples(10, 30, 20), samples(80)]
    values = {}
    for name in ("min", "mean", "p50", "max"):
        figure = stats.statistic(name, repeats)
        assert isinstance(figure, stats.Figure)
        values[name] = figure.value
    assert values == pytest.approx({"min": 10, "mean": 40, "p50": 40, "max": 80})


def test_the_value_lies_within_its_interval_even_where_all_repeats_agree() -> None:
    for repeats in ([29_023] * 2, [29_023] * 3, [10, 10, 10, 20, 20, 20, 20]):
        figure = stats.over_repeats(repeats)
        assert isinstance(figure, stats.Figure)
        assert figure.ci95 is not None
        assert figure.ci95[0] <= figure.value <= figure.ci95[1]


def test_the_interval_is_a_t_interval_over_the_logarithms_of_the_repeats() -> None:
    medians = [1.0, 1.2, 1.1]
    logs = [math.log(each) for each in medians]
    low, high = t.interval(0.95, 2, statistics.fmean(logs), statistics.stdev(logs) / math.sqrt(3))
    assert stats.log_t_interval(medians) == pytest.approx((math.exp(low), math.exp(high)))


def test_many_samples_in_few_repeats_do_not_narrow_the_interval() -> None:
    few = stats.statistic("p50", [samples(10), samples(12), samples(11)])
    many = stats.statistic("p50", [samples(*[each] * 1000) for each in (10, 12, 11)])
    assert isinstance(few, stats.Figure)
    assert few == many


@pytest.mark.parametrize("values", [[5.0], [], [0.0, 1.0]])
def test_no_interval_from_one_repeat_or_from_a_zero(values: list[float]) -> None:
    assert stats.log_t_interval(values) is None


def test_a_ratio_s_interval_is_welch_s_on_logarithms() -> None:
    first, second = [2.0, 2.2, 2.1, 2.3], [1.0, 1.3, 0.9]
    expected = ttest_ind(np.log(first), np.log(second), equal_var=False).confidence_interval(0.95)
    assert stats.log_ratio_interval(first, second) == pytest.approx(
        (math.exp(expected.low), math.exp(expected.high))
    )


def test_equal_repeats_give_a_ratio_without_width_and_one_repeat_gives_none() -> None:
    assert stats.log_ratio_interval([2.0, 2.0], [1.0, 1.0]) == pytest.approx((2.0, 2.0))
    assert stats.log_ratio_interval([2.0], [1.0, 1.0]) is None


def test_a_percentile_s_interval_is_widened_by_what_half_the_samples_make_of_it() -> None:
    """Repeats of which the second half is slower: their halves' medians say less than the whole."""
    repeats = [samples(*(base * each for each in (1, 1, 1, 3, 3, 4))) for base in (100, 110)]
    figure = stats.statistic("p50", repeats)
    assert isinstance(figure, stats.Figure)
    plain = stats.log_t_interval([200.0, 220.0])
    bias = math.log(1 * 3) / 2 - math.log(2)
    assert plain is not None
    assert figure.value == pytest.approx(math.sqrt(200 * 220))
    assert figure.ci95 == pytest.approx(
        (plain[0] * math.exp(-abs(bias)), plain[1] * math.exp(abs(bias)))
    )


def test_a_half_without_a_logarithm_widens_nothing_nor_does_a_mean() -> None:
    repeats = [samples(0, 0, 9, 9, 9), samples(0, 0, 8, 8, 8)]
    for name, values in (("p50", [9.0, 8.0]), ("mean", [5.4, 4.8])):
        figure = stats.statistic(name, repeats)
        assert isinstance(figure, stats.Figure)
        assert figure.ci95 == pytest.approx(stats.log_t_interval(values))
