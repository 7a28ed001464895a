"""Two runs side by side: which results belong together, and the ratio of each two; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trimtab.measure import stats
from trimtab.measure.comparable import Difference, comparability
from trimtab.measure.compare import RatioVerdict, verdict_of
from trimtab.records import Result

_METRIC = "latency_p50_ms"
_Key = tuple[object, ...]


@dataclass(frozen=True)
class Pair:
    """``ratio``: the first's median latency over the second's; None: ``reason`` says why."""

    first: Result
    second: Result
    differences: tuple[Difference, ...]
    ratio: float | None = None
    ci95: stats.Interval | None = None
    reason: str = ""

    @property
    def verdict(self) -> RatioVerdict:
        return verdict_of(self.ci95)


@dataclass(frozen=True)
class SideBySide:
    """``alone``: results of either run that nothing in the other belongs to."""

    pairs: tuple[Pair, ...]
    alone: tuple[Result, ...]


def side_by_side(first: Sequence[Result], second: Sequence[Result]) -> SideBySide:
    """Match by variant or file, format, device, runtime and threads.

    What finds no equal is matched with fewer of these, so that the difference is told rather than
    the result passed over.
    """
    left, right = list(first), list(second)
    pairs: list[tuple[Result, Result]] = []
    for key in (_exact, _without_threads, _without_device, _without_runtime):
        pairs += _take_pairs(left, right, key)
    order = {id(result): position for position, result in enumerate(first)}
    pairs.sort(key=lambda pair: order[id(pair[0])])
    return SideBySide(tuple(_pair(a, b) for a, b in pairs), (*left, *right))


def _take_pairs(
    left: list[Result], right: list[Result], key: Callable[[Result], _Key]
) -> list[tuple[Result, Result]]:
    """Takes out of both what belongs together."""
    found: list[tuple[Result, Result]] = []
    for a in list(left):
        b = next((each for each in right if key(each) == key(a)), None)
        if b is not None:
            left[:] = [each for each in left if each is not a]
            right[:] = [each for each in right if each is not b]
            found.append((a, b))
    return found


def _exact(result: Result) -> _Key:
    return (*_without_threads(result), result.settings.threads)


def _without_threads(result: Result) -> _Key:
    return (*_without_device(result), result.device.device_id)


def _without_device(result: Result) -> _Key:
    return (*_without_runtime(result), result.settings.runtime)


def _without_runtime(result: Result) -> _Key:
    return (result.variant or result.artifact.name, result.artifact.format)


def _pair(a: Result, b: Result) -> Pair:
    for result in (a, b):
        if result.error is not None:
            return Pair(a, b, (), reason=f"failed: {result.error.message}")
    differences = comparability(a, b)
    for result in (a, b):
        metric = result.metrics[_METRIC]
        if metric.value is None or not metric.valid:
            return Pair(a, b, differences, reason=f"INVALID: {metric.reason}")
    was, now = (result.metrics[_METRIC].value for result in (a, b))
    if not was or not now:
        return Pair(a, b, differences, reason="the clock saw no time pass")
    return Pair(a, b, differences, was / now, stats.log_ratio_interval(_medians(a), _medians(b)))


def _medians(result: Result) -> list[float]:
    repeats = result.raw.repeats if result.raw is not None else ()
    return stats.per_repeat("p50", [repeat.latency_ns for repeat in repeats])
