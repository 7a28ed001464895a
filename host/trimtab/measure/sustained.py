"""The curve of a sustained load, and the figure it comes down to; pure functions over a repeat.

The sustained figure is the median over the last third of the time: the heat of a device settles
within minutes, and a third is enough to be no accident. Throttling that is under way by then is
what the figure is to show. Where it only sets in within that third, the third is of two states: the
check SUSTAINED_SETTLED voids the figure. Where the two halves of the third just differ, it warns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from trimtab.measure.stats import required_samples
from trimtab.measure.throttling import can_tell, throttle_onset
from trimtab.measure.wording import show_duration, show_value
from trimtab.records import Check, Float64Array, Int64Array, MeasurementSettings, RawArm, RawRepeat

MOST_INTERVALS = 60
LEAST_INTERVALS = 3  # else the first and the last third are the same
LEAST_SAMPLES = 10  # in an interval, on average
LEAST_INTERVAL_S = 0.5  # two readings of each sensor
SETTLED_WITHIN = 0.05
NOT_ASKED = "not a sustained run: ask for --sustain"
NO_BEGINNING = "throttled in the first interval already: there is no cooler one to compare with"
CHECK_NAME = "SUSTAINED_SETTLED"
_METRICS = ("latency_sustained", "sustained")
_SENSORS = ("temperature_c", "frequency_mhz")
_NS_PER_S = 1e9
_NS_PER_MS = 1e6


@dataclass(frozen=True)
class Interval:
    """Seconds from the first inference on. None: no inference began in it, too few for a p90, or
    the sensor was not read meanwhile; readings are means."""

    start_s: float
    end_s: float
    sample_count: int
    p50_ms: float | None
    p90_ms: float | None
    temperature_c: float | None
    frequency_mhz: float | None


@dataclass(frozen=True)
class Throttling:
    from_s: float
    seen: str


@dataclass(frozen=True)
class Curve:
    """One repeat's. ``drift``: by how much the two halves of the last third differ, as a share.

    ``throttling`` None: none was seen. ``unavailable``: what no sensor told, with the reason
    (``temperature_c``, ``frequency_mhz``, ``throttling``).
    """

    intervals: tuple[Interval, ...]
    initial_p50_ms: float
    sustained_p50_ms: float
    drift: float
    throttling: Throttling | None
    unavailable: Mapping[str, str]

    @property
    def slowdown(self) -> float | None:
        """None: throttled in the first interval already, there is nothing to compare with."""
        if self.throttling is not None and self.throttling.from_s < self.interval_s:
            return None
        return self.sustained_p50_ms / self.initial_p50_ms

    @property
    def throttled_late(self) -> bool:
        return self.throttling is not None and self.throttling.from_s > self.duration_s * 2 / 3

    @property
    def duration_s(self) -> float:
        return self.intervals[-1].end_s

    @property
    def interval_s(self) -> float:
        return self.intervals[0].end_s


@dataclass(frozen=True)
class NoCurve:
    reason: str


def curves(raw: RawArm) -> tuple[Curve | NoCurve, ...]:
    """One a repeat."""
    return tuple(curve(repeat, raw.conditions) for repeat in raw.repeats)


def curve(repeat: RawRepeat, conditions: Mapping[str, str]) -> Curve | NoCurve:
    """``conditions``: the device's, which say why a sensor told nothing."""
    seconds = (repeat.start_offset_ns - repeat.start_offset_ns[:1]) / _NS_PER_S
    latencies = repeat.latency_ns
    span = float(seconds[-1] + latencies[-1] / _NS_PER_S) if len(seconds) else 0.0
    count = min(MOST_INTERVALS, int(span / LEAST_INTERVAL_S), len(latencies) // LEAST_SAMPLES)
    if count < LEAST_INTERVALS:
        return NoCurve(
            f"needs {LEAST_INTERVALS * LEAST_SAMPLES} timed inferences in "
            f"{LEAST_INTERVALS * LEAST_INTERVAL_S:g} s, had {len(latencies)} in {span:.2f} s"
        )
    last = [_between(seconds, latencies, span * at / 6, span * (at + 1) / 6) for at in (4, 5)]
    initial = _median(_between(seconds, latencies, 0.0, span / count))
    halves = [_median(half) for half in last]
    sustained = _median(np.concatenate(last))
    if not initial or not sustained or not all(halves):
        return NoCurve("no inference began in the first interval, or in half of the last third")
    first, second = (half or 0.0 for half in halves)
    return Curve(
        intervals=_intervals(repeat, seconds, span, count),
        initial_p50_ms=initial,
        sustained_p50_ms=sustained,
        drift=max(first, second) / min(first, second) - 1.0,
        throttling=_throttling(repeat),
        unavailable=_unavailable(repeat, conditions),
    )


def sentence(found: Curve) -> str:
    """``sustained p50 1.42 ms, 1.31 x the first 10 s; throttling from 4 min 10 s on: ...``"""
    sustained = show_value(found.sustained_p50_ms, "ms")
    initial = show_value(found.initial_p50_ms, "ms")
    first = show_duration(found.interval_s)
    compared = f", {found.slowdown:.2f} x the first {first} ({initial})" if found.slowdown else ""
    return f"sustained p50 {sustained}{compared}; {_throttling_text(found)}"


def settled_check(raw: RawArm, settings: MeasurementSettings) -> tuple[Check, ...]:
    """None where no load was sustained, or no curve can be drawn."""
    found = [each for each in curves(raw) if isinstance(each, Curve)]
    if settings.sustain_s is None or not found:
        return ()
    advice = "sustain the load longer: it was still changing, or something else disturbed it"
    late = next((each.throttling for each in found if each.throttled_late), None)
    if late is not None:
        seen = (
            f"throttling set in after {show_duration(late.from_s)}, within the last third, "
            "of which the sustained figure is"
        )
        return (Check(CHECK_NAME, "failed", True, _METRICS, seen, advice),)
    worst = max(each.drift for each in found)
    seen = f"p50 in the two halves of the last third {worst:.1%} apart (limit {SETTLED_WITHIN:.0%})"
    if worst <= SETTLED_WITHIN:
        return (Check(CHECK_NAME, "passed", False, _METRICS, seen),)
    return (Check(CHECK_NAME, "failed", False, _METRICS, seen, advice),)


def _throttling_text(found: Curve) -> str:
    begun = found.throttling
    if begun is None:
        return found.unavailable.get("throttling", "no throttling seen")
    if begun.from_s < found.interval_s:
        return f"throttling from the first {show_duration(found.interval_s)} on: {begun.seen}"
    return f"throttling from {show_duration(begun.from_s)} on: {begun.seen}"


def _throttling(repeat: RawRepeat) -> Throttling | None:
    onset = throttle_onset(repeat.sensors)
    if onset is None:
        return None
    since_ns = onset.offset_ns - int(repeat.start_offset_ns[0])
    return Throttling(max(since_ns, 0) / _NS_PER_S, onset.seen)


def _unavailable(repeat: RawRepeat, conditions: Mapping[str, str]) -> dict[str, str]:
    reasons = {}
    for sensor in _SENSORS:
        if sensor not in repeat.sensors:
            told = conditions.get(sensor, "")
            known, _, reason = told.partition("unknown: ")
            reasons[sensor] = reason if reason and not known else "not told while measuring"
    if not can_tell(repeat.sensors):
        reasons["throttling"] = (
            "whether it throttled is unknown: no throttle flags and no frequencies are told here"
        )
    return reasons


def _intervals(
    repeat: RawRepeat, seconds: Float64Array, span: float, count: int
) -> tuple[Interval, ...]:
    edges = np.linspace(0.0, span, count + 1)
    readings = {name: _readings(repeat, name, edges) for name in _SENSORS}
    found = []
    for index, (start, end) in enumerate(pairwise(edges)):
        own = _between(seconds, repeat.latency_ns, start, end)
        found.append(
            Interval(
                start_s=float(start),
                end_s=float(end),
                sample_count=len(own),
                p50_ms=_median(own),
                p90_ms=_p90(own),
                temperature_c=readings["temperature_c"][index],
                frequency_mhz=readings["frequency_mhz"][index],
            )
        )
    return tuple(found)


def _readings(repeat: RawRepeat, sensor: str, edges: Float64Array) -> Sequence[float | None]:
    """The mean of each interval; what was read before the first inference is none of them."""
    series = repeat.sensors.get(sensor)
    if series is None:
        return [None] * (len(edges) - 1)
    at = (series.offset_ns - repeat.start_offset_ns[0]) / _NS_PER_S
    parts = [series.values[(at >= start) & (at < end)] for start, end in pairwise(edges)]
    return [float(part.mean()) if len(part) else None for part in parts]


def _between(seconds: Float64Array, latencies: Int64Array, start: float, end: float) -> Int64Array:
    """Those that began in between; starts are in order."""
    begin, stop = np.searchsorted(seconds, (start, end))
    return latencies[begin:stop]


def _median(latencies: Int64Array) -> float | None:
    return float(np.median(latencies)) / _NS_PER_MS if len(latencies) else None


def _p90(latencies: Int64Array) -> float | None:
    if len(latencies) < required_samples(0.90):
        return None
    return float(np.quantile(latencies, 0.90)) / _NS_PER_MS
