"""How often a percentile's 95 % interval holds the true value, on simulated repeats.

At least 93 % of the time are asked for at 5 repeats and 90 % at 3. Samples within a repeat have an
autocorrelation of 0.9 from one to the next; each repeat has a speed of its own.

    TRIMTAB_COVERAGE_RUNS=5000 python benchmarks/interval_coverage.py

prints the tables of docs/statistics.md (2000 simulated runs a row where the variable is not set).
Exit status 1: a row of the first table is below what is asked for.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter
from scipy.special import ndtr, ndtri
from trimtab.measure import block_bootstrap, dependence, stats

Array = npt.NDArray[np.float64]
Int64Array = npt.NDArray[np.int64]
RUNS = int(os.environ.get("TRIMTAB_COVERAGE_RUNS", "2000"))
AUTOCORRELATION = 0.9
ASKED = {3: 0.90, 5: 0.93}
BASE_NS = 1e6
_GAUSSIAN = 2 * math.sin(math.pi * AUTOCORRELATION / 6)  # gives ranks the autocorrelation asked for
_SKEW = 0.3
_SLOW_MODE, _MODE_WIDTH = 1.3, 0.02
_BATCH_SAMPLES = 2_000_000
_BOOTSTRAPPED = 5  # the block bootstrap is dear: every fifth run
_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


@dataclass(frozen=True)
class Shape:
    """``draw``: samples of median about 1 from (generator, shape); ``truth``: their quantiles."""

    name: str
    draw: Callable[[np.random.Generator, tuple[int, int, int]], Array]
    truth: Callable[[float], float]


@dataclass(frozen=True)
class Case:
    """``spread``: the standard deviation of the logarithms of the repeats' speeds."""

    shape: Shape
    spread: float
    samples: int

    def runs(self, count: int, repeats: int, seed: int) -> Iterator[list[Int64Array]]:
        """Simulated runs: each a list of its repeats' samples in nanoseconds."""
        generator = np.random.default_rng(seed)
        batch = max(1, _BATCH_SAMPLES // (repeats * self.samples))
        for begin in range(0, count, batch):
            size = min(batch, count - begin)
            speeds = np.exp(self.spread * generator.standard_normal((size, repeats, 1)))
            drawn = self.shape.draw(generator, (size, repeats, self.samples))
            for run in np.rint(BASE_NS * speeds * drawn).astype(np.int64):
                yield list(run)

    def truth_ns(self, statistic: str) -> float:
        """The centre over the repeats, as a figure defines it: the geometric mean."""
        return BASE_NS * self.shape.truth(_QUANTILES[statistic])


def skewed() -> Shape:
    """Lognormal; the dependence is a Gaussian copula's, so that the quantiles are exact."""
    return Shape(
        "skewed",
        lambda generator, shape: np.exp(_SKEW * _dependent_normals(generator, shape)),
        lambda quantile: math.exp(_SKEW * float(ndtri(quantile))),
    )


def bimodal(fast: float) -> Shape:
    """Two modes 30 % apart, as one wandering state gives them."""
    return Shape(
        f"bimodal {fast:.0%} fast".replace("%", " %"),
        lambda generator, shape: _mixture(fast, ndtr(_dependent_normals(generator, shape))),
        lambda quantile: float(_mixture(fast, np.array(quantile))),
    )


def switching(fast: float) -> Shape:
    """The same modes, but it jumps between them and stays a while (a Markov chain)."""

    def draw(generator: np.random.Generator, shape: tuple[int, int, int]) -> Array:
        modes = np.where(_slow(generator, shape, fast), _SLOW_MODE, 1.0)
        return np.asarray(modes * (1 + _MODE_WIDTH * _dependent_normals(generator, shape)))

    return Shape(f"switching {fast:.0%} fast".replace("%", " %"), draw, bimodal(fast).truth)


def textbook_interval(samples: Int64Array, quantile: float) -> stats.Interval:
    """The order statistics that a binomial gives: right where samples are independent."""
    count = len(samples)
    reach = 1.96 * math.sqrt(count * quantile * (1 - quantile))
    low = max(0, math.floor(count * quantile - reach) - 1)
    high = min(count - 1, math.ceil(count * quantile + reach))
    found = np.partition(samples, (low, high))
    return float(found[low]), float(found[high])


def reported_interval(statistic: str, repeats: Sequence[Int64Array]) -> stats.Interval:
    """What trimtab shows."""
    figure = stats.statistic(statistic, repeats)
    if isinstance(figure, stats.TooFewSamples) or figure.ci95 is None:
        raise ValueError(f"no interval: {figure}")
    return figure.ci95


class Held(NamedTuple):
    """How often an interval held the truth, as a share of the runs.

    ``unwidened``: the plain t-interval over the repeats' logarithms.
    """

    reported: float
    textbook: float
    unwidened: float


def coverage(case: Case, repeats: int, statistic: str, runs: int, seed: int) -> Held:
    truth, quantile = case.truth_ns(statistic), _QUANTILES[statistic]
    held = [
        (
            _holds(reported_interval(statistic, run), truth),
            _holds(textbook_interval(np.concatenate(run), quantile), truth),
            _holds(stats.log_t_interval(stats.per_repeat(statistic, run)), truth),
        )
        for run in case.runs(runs, repeats, seed)
    ]
    return Held(*(float(share) for share in np.mean(held, axis=0)))


def bootstrap_coverage(case: Case, runs: int, seed: int) -> tuple[float, float]:
    """How often one repeat's block bootstrap holds that one process's own p50 and p90."""
    own = Case(case.shape, 0.0, case.samples)
    quantiles = (_QUANTILES["p50"], _QUANTILES["p90"])
    truths = [own.truth_ns(name) for name in ("p50", "p90")]
    held = []
    for (samples,) in own.runs(runs, 1, seed):
        autocorrelation = dependence.rank_autocorrelation(samples)
        length = 1 if autocorrelation is None else dependence.block_length(autocorrelation)
        found = block_bootstrap.percentile_intervals(samples, quantiles, length)
        held.append([_holds(each, truth) for each, truth in zip(found, truths, strict=True)])
    p50, p90 = np.mean(held, axis=0)
    return float(p50), float(p90)


def _holds(interval: stats.Interval | None, truth: float) -> bool:
    return interval is not None and interval[0] <= truth <= interval[1]


def _dependent_normals(generator: np.random.Generator, shape: tuple[int, int, int]) -> Array:
    """Standard normal, autoregressive along the last axis, stationary from the first sample on."""
    innovations = generator.standard_normal(shape)
    innovations[..., 1:] *= math.sqrt(1 - _GAUSSIAN**2)
    return np.asarray(lfilter([1.0], [1.0, -_GAUSSIAN], innovations, axis=-1))


@lru_cache
def _mixture_table(fast: float) -> tuple[Array, Array]:
    slow_width = _SLOW_MODE * _MODE_WIDTH
    values = np.linspace(1 - 8 * _MODE_WIDTH, _SLOW_MODE + 8 * slow_width, 200_001)
    shares = fast * ndtr((values - 1) / _MODE_WIDTH)
    return values, shares + (1 - fast) * ndtr((values - _SLOW_MODE) / slow_width)


def _mixture(fast: float, quantiles: Array) -> Array:
    values, shares = _mixture_table(fast)
    return np.asarray(np.interp(quantiles, shares, values))


def _slow(
    generator: np.random.Generator, shape: tuple[int, int, int], fast: float
) -> npt.NDArray[np.bool_]:
    """Which samples are slow; stationary, and so that the samples have the autocorrelation."""
    mean = fast + (1 - fast) * _SLOW_MODE
    between = fast * (1 - fast) * (_SLOW_MODE - 1) ** 2
    total = (between + mean**2) * (1 + _MODE_WIDTH**2) - mean**2
    product = (AUTOCORRELATION * total + mean**2) / (1 + _MODE_WIDTH**2 * _GAUSSIAN)
    stay = (product - mean**2) / between
    draws = generator.random((shape[2], *shape[:2]))
    slow = np.empty(draws.shape, dtype=np.bool_)
    slow[0] = draws[0] > fast
    for index in range(1, shape[2]):
        leaves_slow = draws[index] < (1 - stay) * fast
        enters_slow = draws[index] < (1 - stay) * (1 - fast)
        slow[index] = np.where(slow[index - 1], ~leaves_slow, enters_slow)
    return np.moveaxis(slow, 0, -1)


CASES = [
    Case(shape, spread, samples)
    for shape in (skewed(), bimodal(0.7), switching(0.6))
    for samples in (100, 600, 1200)
    for spread in (0.0, 0.01, 0.03)
]
LIMITS = [
    (CASES[1], 5, "p90"),
    (CASES[19], 5, "p50"),
    *((Case(case.shape, 0.01, 100), 10, name) for case in CASES[::9] for name in ("p50", "p90")),
    *((Case(switching(0.52), 0.01, 1200), repeats, "p50") for repeats in (3, 5, 10)),
    *((Case(shape, 0.01, 3600), 6, "p99") for shape in (skewed(), switching(0.6))),
]


def _print_coverage() -> bool:
    """True: every row is at least what is asked for."""
    print("| samples | spread between repeats | samples a repeat | repeats | p50 | p90 |", end="")
    print(" textbook p50 | textbook p90 |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    met = True
    for seed, case in enumerate(CASES):
        for repeats, asked in ASKED.items():
            p50, p90 = (coverage(case, repeats, name, RUNS, seed) for name in ("p50", "p90"))
            shares = (p50.reported, p90.reported, p50.textbook, p90.textbook)
            _print_row(case.shape.name, _percent(case.spread, 0), case.samples, repeats, *shares)
            met = met and min(shares[:2]) >= asked
    return met


def _print_limits() -> None:
    print("\n| samples | samples a repeat | repeats | percentile | interval |", end="")
    print(" without widening | textbook |")
    print("|---|--:|--:|---|--:|--:|--:|")
    for seed, (case, repeats, name) in enumerate(LIMITS):
        held = coverage(case, repeats, name, RUNS, seed)
        shares = (held.reported, held.unwidened, held.textbook)
        _print_row(case.shape.name, case.samples, repeats, name, *shares)


def _print_bootstrap() -> None:
    print("\n| samples | samples a repeat | block bootstrap p50 | block bootstrap p90 |")
    print("|---|--:|--:|--:|")
    for seed, case in enumerate((*CASES[:9:3], *CASES[18::3])):
        shares = bootstrap_coverage(case, max(1, RUNS // _BOOTSTRAPPED), seed)
        _print_row(case.shape.name, case.samples, *shares)


def _print_row(*cells: str | int | float) -> None:
    texts = (_percent(cell) if isinstance(cell, float) else str(cell) for cell in cells)
    print(f"| {' | '.join(texts)} |", flush=True)


def _percent(share: float, places: int = 1) -> str:
    return f"{100 * share:.{places}f} %"


def main() -> int:
    met = _print_coverage()
    _print_limits()
    _print_bootstrap()
    if not met:
        print("below what is asked for (93 % at 5 repeats, 90 % at 3)", file=sys.stderr)
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
