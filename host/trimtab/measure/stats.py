"""Statistics over raw samples; pure.

Samples within one process are not independent, so the repeat is the unit: a figure's value is the
geometric mean of the statistic taken repeat by repeat, its interval a Student t-interval over the
logarithms of the same. A percentile's interval is widened by the bias that few samples, or ones
that resemble each other, may give it. Percentiles interpolate linearly (Hyndman and Fan's type 7).
How often the intervals hold the true value: docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from trimtab.records import Int64Array

Interval = tuple[float, float]
_CONFIDENCE = 0.95
_PERCENTILE_CONFIDENCE = 0.99
_UNCONSTRAINED_BELOW = 0.9  # the rule is about tails; a median needs no exceedances


@dataclass(frozen=True)
class Figure:
    """``ci95`` None: fewer than two repeats, or a zero among them."""

    value: float
    ci95: Interval | None


@dataclass(frozen=True)
class TooFewSamples:
    needed: int
    had: int

    def __str__(self) -> str:
        return f"needs {self.needed} samples, had {self.had}"


_Reduce = Callable[[npt.NDArray[Any]], float]


def _percentile(quantile: float) -> _Reduce:
    return lambda samples: float(np.quantile(samples, quantile))


_REDUCTIONS: dict[str, _Reduce] = {
    "min": lambda samples: float(samples.min()),
    "mean": lambda samples: float(samples.mean()),
    "p50": _percentile(0.50),
    "p90": _percentile(0.90),
    "p95": _percentile(0.95),
    "p99": _percentile(0.99),
    "max": lambda samples: float(samples.max()),
}
_QUANTILES = {"p90": 0.90, "p95": 0.95, "p99": 0.99}
_PERCENTILES = ("p50", *_QUANTILES)
_EXTREMES = ("min", "max")
STATISTICS: tuple[str, ...] = tuple(_REDUCTIONS)


@lru_cache
def required_samples(quantile: float) -> int:
    """How many samples a percentile needs, by MLPerf's rule.

    The fewest n for which, with 99 % confidence (one-sided), more than one of n samples lies
    beyond the percentile. 1 below p90.
    """
    if quantile < _UNCONSTRAINED_BELOW:
        return 1
    count = 2
    while quantile**count + count * (1 - quantile) * quantile ** (count - 1) > (
        1 - _PERCENTILE_CONFIDENCE
    ):
        count += 1
    return count


def statistic(name: str, repeats: Sequence[Int64Array]) -> Figure | TooFewSamples:
    """One of STATISTICS, in the samples' own unit. Repeats without samples are left out.

    The repeat is the unit: the value is the geometric mean of the repeats' own statistics, which
    the interval is for. A pool of all samples would count a fast repeat, which has more of them,
    for more. Only min and max are those of the pool, without an interval.
    """
    measured = [samples for samples in repeats if len(samples)]
    had = sum(len(samples) for samples in measured)
    needed = required_samples(_QUANTILES[name]) if name in _QUANTILES else 1
    if had < needed:
        return TooFewSamples(needed, had)
    reduce = _REDUCTIONS[name]
    if name in _EXTREMES:
        return Figure(reduce(np.concatenate(measured)), None)
    found = _centre([reduce(samples) for samples in measured])
    if found.ci95 is None or name not in _PERCENTILES:
        return found
    return Figure(found.value, _widened(found.ci95, _half_sample_bias(reduce, measured)))


def over_repeats(values: Sequence[int]) -> Figure | TooFewSamples:
    """Figures of which a repeat has just one, such as its load time: their geometric mean."""
    if not values:
        return TooFewSamples(1, 0)
    return _centre(values)


def _centre(values: Sequence[float]) -> Figure:
    """With a single repeat, or a zero among them, there is no interval: their median, plainly."""
    interval = log_t_interval(values)
    if interval is None:
        return Figure(float(np.median(values)), None)
    return Figure(math.exp(float(np.log(np.asarray(values, dtype=np.float64)).mean())), interval)


def _widened(interval: Interval, bias: float) -> Interval:
    """By a bias of the logarithms, to both sides: its sign is known no better than its size."""
    low, high = interval
    return low * math.exp(-abs(bias)), high * math.exp(abs(bias))


def _half_sample_bias(reduce: _Reduce, repeats: Sequence[Int64Array]) -> float:
    """The estimated bias of the repeats' mean logarithm.

    A percentile's bias shrinks as 1/n, n being the effective size; so what the halves of a repeat,
    each in one piece, have more than the whole is the bias of the whole (Quenouille 1949,
    "Approximate tests of correlation in time-series", J. R. Stat. Soc. B 11).
    """
    return float(np.mean([_halves_over_whole(reduce, samples) for samples in repeats]))


def _halves_over_whole(reduce: _Reduce, samples: Int64Array) -> float:
    """The mean of the halves' logarithms less the whole's; 0 where one has no logarithm."""
    middle = len(samples) // 2
    if not middle:
        return 0.0
    first, second, whole = (reduce(each) for each in (samples[:middle], samples[middle:], samples))
    if min(first, second, whole) <= 0:
        return 0.0
    return math.log(first * second) / 2 - math.log(whole)


def log_t_interval(values: Sequence[float]) -> Interval | None:
    """95 % t-interval for the centre of ``values`` on a logarithmic scale."""
    if len(values) < 2 or min(values) <= 0:
        return None
    logarithms = np.log(np.asarray(values, dtype=np.float64))
    error = float(logarithms.std(ddof=1)) / math.sqrt(len(values))
    reach = t_quantile(len(values) - 1) * error
    centre = float(logarithms.mean())
    return math.exp(centre - reach), math.exp(centre + reach)


def log_ratio_interval(
    numerators: Sequence[float], denominators: Sequence[float]
) -> Interval | None:
    """95 % interval of a ratio of two independent groups of repeats (Welch, on logarithms)."""
    groups = [np.asarray(values, dtype=np.float64) for values in (numerators, denominators)]
    if any(len(group) < 2 or group.min() <= 0 for group in groups):
        return None
    first, second = (np.log(group) for group in groups)
    errors = [float(group.var(ddof=1)) / len(group) for group in (first, second)]
    centre = float(first.mean() - second.mean())
    total = sum(errors)
    if total == 0.0:
        return math.exp(centre), math.exp(centre)
    spread = sum(error**2 / (len(group) - 1) for error, group in zip(errors, groups, strict=True))
    reach = t_quantile(total**2 / spread) * math.sqrt(total)
    return math.exp(centre - reach), math.exp(centre + reach)


def per_repeat(name: str, repeats: Sequence[Int64Array]) -> list[float]:
    return [_REDUCTIONS[name](samples) for samples in repeats if len(samples)]


def t_quantile(degrees_of_freedom: float) -> float:
    """The two-sided 95 % factor: 4.30 for three repeats, 2.78 for five."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees_of_freedom, 0.5 + _CONFIDENCE / 2))
