"""What stands beside a latency's interval: how dependent the samples within each repeat are.

The interval itself is over the repeats (``stats``); none of this enters it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from trimtab.measure import block_bootstrap, dependence
from trimtab.measure.stats import Interval, required_samples
from trimtab.records import Int64Array, RawArm

LAGS = (1, 10, 100)
FEWEST_SAMPLES = 10
_SAMPLES_PER_LAG = 4  # beyond a quarter of the samples an autocorrelation is mostly noise
_QUANTILES: Mapping[str, float] = {"p50": 0.5, "p90": 0.9}


@dataclass(frozen=True)
class RepeatDiagnostics:
    """Of one process. Times in nanoseconds.

    ``autocorrelation``: of the ranks, by lag; None where there are too few samples for the lag.
    ``within_ci95_ns``: the block bootstrap's, by percentile; None where this repeat alone has too
    few samples for the percentile. ``reason``: why nothing could be said of the dependence.
    """

    index: int
    sample_count: int
    p50_ns: float | None
    autocorrelation: Mapping[int, float | None] = field(default_factory=dict)
    effective_sample_size: float | None = None
    block_length: int | None = None
    within_ci95_ns: Mapping[str, Interval | None] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True)
class Diagnostics:
    repeats: tuple[RepeatDiagnostics, ...]

    @property
    def sample_count(self) -> int:
        return sum(each.sample_count for each in self.repeats)

    @property
    def effective_sample_size(self) -> float | None:
        """The repeats' together; None where one of those with samples has none."""
        sizes = [each.effective_sample_size for each in self.repeats if each.sample_count]
        known = [size for size in sizes if size is not None]
        return sum(known) if known and len(known) == len(sizes) else None


def diagnose(raw: RawArm | None) -> Diagnostics | str:
    """The diagnostics of an arm, or why there are none."""
    if raw is None:
        return "the raw samples are not at hand"
    if not any(len(repeat.latency_ns) for repeat in raw.repeats):
        return "no latency was measured"
    return Diagnostics(tuple(_of_repeat(each.index, each.latency_ns) for each in raw.repeats))


def _of_repeat(index: int, samples: Int64Array) -> RepeatDiagnostics:
    count = len(samples)
    p50 = float(np.median(samples)) if count else None
    if count < FEWEST_SAMPLES:
        reason = f"needs {FEWEST_SAMPLES} samples, had {count}"
        return RepeatDiagnostics(index, count, p50, reason=reason)
    autocorrelation = dependence.rank_autocorrelation(samples)
    if autocorrelation is None:
        return RepeatDiagnostics(index, count, p50, reason="all samples are equal")
    length = dependence.block_length(autocorrelation)
    return RepeatDiagnostics(
        index=index,
        sample_count=count,
        p50_ns=p50,
        autocorrelation={
            lag: float(autocorrelation[lag]) if count >= _SAMPLES_PER_LAG * lag else None
            for lag in LAGS
        },
        effective_sample_size=dependence.effective_size(autocorrelation),
        block_length=length,
        within_ci95_ns=_within(samples, length),
    )


def _within(samples: Int64Array, block_length: int) -> dict[str, Interval | None]:
    supported = {
        name: level for name, level in _QUANTILES.items() if len(samples) >= required_samples(level)
    }
    found = block_bootstrap.percentile_intervals(samples, [*supported.values()], block_length)
    intervals = dict(zip(supported, found, strict=True))
    return {name: intervals.get(name) for name in _QUANTILES}
