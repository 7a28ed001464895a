"""What comes before the timed loop: warm-up until steady, and the pilot that fixes the count.

Pure; the clock is handed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median, stdev

from trimtab_agent.measure import MAX_SAMPLES, Clock, Limits, Run, Samples, take_samples

AGREEING_WINDOWS = 3  # two agree by chance too often
WINDOW_NS = 50_000_000
WINDOW_COUNT = 3
_PILOT = Limits(min_sample_count=5, min_duration_ns=50_000_000, max_duration_ns=1_000_000_000)
_PRECISION_PILOT = Limits(100, 200_000_000, 5_000_000_000)
_PILOT_CAPACITY = 1024
_BLOCKS = 10
_DURATION_MARGIN = 1.2  # a processor that others shared during the pilot may be free afterwards
_NORMAL_95 = 1.96
_LONGEST_SHARE = 10  # a run shorter than a tenth of the mean says more of the clock than of it


@dataclass(frozen=True)
class WarmUpLimits:
    """``tolerance`` is a share; 0: the minimums alone count."""

    min_count: int
    min_duration_ns: int
    max_duration_ns: int
    tolerance: float


@dataclass(frozen=True)
class SteadyWarmUp:
    """``spread``: by how much the last windows' medians differed, as a share.

    ``fastest_ns``: the shortest single run, from which the room for samples is estimated.
    ``settled`` and ``spread`` are None where it was not asked for, and where too few windows fitted
    into the maximum to be compared.
    """

    count: int
    duration_ns: int
    fastest_ns: int
    settled: bool | None
    spread: float | None


@dataclass(frozen=True)
class CountLimits:
    """``percentile_count`` 0 and ``target_precision`` 0: not asked for."""

    min_count: int
    min_duration_ns: int
    max_duration_ns: int
    percentile_count: int = 0
    target_precision: float = 0.0


@dataclass(frozen=True)
class SampleCount:
    """``reason``: the minimum or maximum that decided."""

    count: int
    reason: str


def warm_up_until_steady(run: Run, clock: Clock, limits: WarmUpLimits) -> SteadyWarmUp:
    """:func:`warm_up_by_windows`, back to back."""
    return warm_up_by_windows(lambda: _window(run, clock), clock, limits)


def warm_up_by_windows(
    window_of: Callable[[], Sequence[int]], clock: Clock, limits: WarmUpLimits
) -> SteadyWarmUp:
    """Window by window until the minimums are met and the last windows' medians agree.

    ``window_of`` runs one window and gives its latencies. Looked at between windows only, so the
    maximum may be passed by one window's length.
    """
    begin = clock()
    count, elapsed, fastest = 0, 0, 0
    medians: list[float] = []
    while True:
        enough = count >= limits.min_count and elapsed >= limits.min_duration_ns
        spread = _spread(medians)
        settled = spread is not None and spread <= limits.tolerance
        if enough and not limits.tolerance:
            return SteadyWarmUp(count, elapsed, fastest, None, None)
        if enough and (settled or elapsed >= limits.max_duration_ns):
            return SteadyWarmUp(
                count, elapsed, fastest, None if spread is None else settled, spread
            )
        window = window_of()
        medians.append(median(window))
        fastest = min(fastest or window[0], *window)
        count += len(window)
        elapsed = clock() - begin


def take_pilot(run: Run, clock: Clock, limits: CountLimits) -> Samples:
    """Samples that tell how long a run takes and how much it varies, and are then thrown away."""
    pilot = _PRECISION_PILOT if limits.target_precision else _PILOT
    return take_samples(run, clock, pilot, _PILOT_CAPACITY)


def choose_count(pilot: Samples, limits: CountLimits) -> SampleCount:
    """The count that meets every minimum, as far as the maximums allow.

    The minimum duration is reckoned with the pilot's fastest run, so that it is met even where the
    pilot was disturbed; the maximum with the mean.
    """
    mean_ns = max(pilot.duration_ns / len(pilot), 1.0)
    fastest_ns = _fastest_period_ns(pilot, mean_ns)
    by_duration = math.ceil(_DURATION_MARGIN * limits.min_duration_ns / fastest_ns)
    asked = {
        "the minimum count": limits.min_count,
        "the minimum duration": by_duration,
        "the percentile asked for": limits.percentile_count,
        "the precision asked for": precision_count(pilot.latency_ns, limits.target_precision),
    }
    reason = max(asked, key=lambda name: asked[name])
    count, longest = asked[reason], math.ceil(limits.max_duration_ns / mean_ns)
    if count > longest:
        bound = max(longest, by_duration)
        if bound < count:
            reason, count = f"the maximum duration ({reason} would need {count})", bound
    if count > MAX_SAMPLES:
        reason, count = f"the room for samples ({reason} would need {count})", MAX_SAMPLES
    return SampleCount(max(count, 1), reason)


def precision_count(latency_ns: Sequence[int], target: float) -> int:
    """Samples for which 1.96 standard errors of the mean are ``target`` of it; 0: not asked for.

    The variance is that of block means, so that neighbouring samples which resemble each other do
    not make it look smaller than it is. A pilot too short for blocks asks for nothing.
    """
    length = len(latency_ns) // _BLOCKS
    if not target or length < 2:
        return 0
    blocks = [fmean(latency_ns[at * length : (at + 1) * length]) for at in range(_BLOCKS)]
    centre = fmean(blocks)
    if centre <= 0:
        return 0
    return math.ceil(length * (_NORMAL_95 * stdev(blocks) / (target * centre)) ** 2)


def _window(run: Run, clock: Clock) -> list[int]:
    begin = clock()
    latencies: list[int] = []
    while True:
        start = clock()
        run()
        end = clock()
        latencies.append(end - start)
        if len(latencies) >= WINDOW_COUNT and end - begin >= WINDOW_NS:
            return latencies


def _spread(medians: Sequence[float]) -> float | None:
    last = medians[-AGREEING_WINDOWS:]
    if len(last) < AGREEING_WINDOWS:
        return None
    return max(last) / max(min(last), 1.0) - 1.0


def _fastest_period_ns(pilot: Samples, mean_ns: float) -> float:
    periods = [after - before for before, after in pairwise(pilot.start_ns)]
    return max(min(periods, default=mean_ns), mean_ns / _LONGEST_SHARE, 1.0)
