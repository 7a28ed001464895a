"""What a device did while an arm was measured: latencies, and below them what its sensors told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.measure.wording import show_duration
from trimtab.records import Float64Array, RawArm, RawRepeat, Result, SensorInfo, SensorSeries

_NS_PER_S, _NS_PER_MS = 1e9, 1e6
_MOST_POINTS = 240  # a repeat: more cannot be told apart
# Where a figure of these is told, there is something to look at.
_WORTH_A_LOOK = ("temperature_c", "frequency_mhz")


@dataclass(frozen=True)
class Line:
    """``seconds`` from the job's start; between repeats, which others may fill, nothing (NaN)."""

    name: str
    unit: str
    seconds: Float64Array
    values: Float64Array


@dataclass(frozen=True)
class Span:
    """``phase``: "measure" or "idle"; seconds from the job's start."""

    phase: str
    begin_s: float
    end_s: float


@dataclass(frozen=True)
class Timeline:
    """``sensors``: power first, then temperature and clock."""

    title: str
    latency: Line
    sensors: tuple[Line, ...]
    spans: tuple[Span, ...]


def timeline_of(result: Result) -> Timeline | None:
    """None where the device told neither power nor temperature nor clock, and under a sustained
    load, whose curve shows the same."""
    raw = result.raw
    if raw is None or result.error is not None or result.settings.sustain_s is not None:
        return None
    sensors = tuple(_sensor_lines(raw))
    if not sensors or not raw.repeats:
        return None
    end_s = max(line.seconds[-1] for line in sensors)
    title = f"{result.label} on {result.device.name}, {show_duration(float(end_s))} from the start"
    latency = _joined("latency", "ms", [_latencies(each) for each in raw.repeats])
    return Timeline(title, latency, sensors, tuple(_spans(raw.repeats)))


def watts(info: SensorInfo, series: SensorSeries) -> tuple[Float64Array, Float64Array]:
    """Nanoseconds and watts; of a counter the mean between two readings, at their middle."""
    if info.unit == "mW":
        return series.offset_ns.astype(np.float64), series.values / 1e3
    elapsed_s = np.diff(series.offset_ns) / _NS_PER_S
    spent_mj = np.diff(series.values)
    if info.counter_range:
        spent_mj = np.where(spent_mj < 0, spent_mj + info.counter_range, spent_mj)
    told = (elapsed_s > 0) & (spent_mj >= 0)
    middle = (series.offset_ns[1:] + series.offset_ns[:-1]) / 2
    return middle[told], spent_mj[told] / elapsed_s[told] / 1e3


def _sensor_lines(raw: RawArm) -> Iterator[Line]:
    for info in raw.sensors:
        told = [
            watts(info, each.sensors[info.name])
            for each in raw.repeats
            if info.name in each.sensors
        ]
        parts = [_thinned(at, values) for at, values in told if len(at)]
        if parts and info.role in ("total", "addend"):
            yield _joined(info.scope or info.name, "W", parts)
    for name, unit in zip(_WORTH_A_LOOK, ("°C", "MHz"), strict=True):
        series = [each.sensors[name] for each in raw.repeats if name in each.sensors]
        parts = [
            _thinned(each.offset_ns.astype(np.float64), each.values)
            for each in series
            if len(each.values)
        ]
        if parts:
            yield _joined(name, unit, parts)


def _latencies(repeat: RawRepeat) -> tuple[Float64Array, Float64Array]:
    return _thinned(repeat.start_offset_ns.astype(np.float64), repeat.latency_ns / _NS_PER_MS)


def _thinned(at: Float64Array, values: Float64Array) -> tuple[Float64Array, Float64Array]:
    """The median of each stretch where there are too many to be shown."""
    if len(at) <= _MOST_POINTS:
        return at, values
    stretches = zip(
        np.array_split(at, _MOST_POINTS), np.array_split(values, _MOST_POINTS), strict=True
    )
    middle, shown = zip(
        *((float(a.mean()), float(np.median(v))) for a, v in stretches), strict=True
    )
    return np.array(middle), np.array(shown)


def _joined(name: str, unit: str, parts: Sequence[tuple[Float64Array, Float64Array]]) -> Line:
    gap = np.array([np.nan])
    seconds = [np.concatenate([at / _NS_PER_S, at[-1:] / _NS_PER_S]) for at, _ in parts]
    values = [np.concatenate([each, gap]) for _, each in parts]
    return Line(name, unit, np.concatenate(seconds), np.concatenate(values))


def _spans(repeats: Sequence[RawRepeat]) -> Iterator[Span]:
    for repeat in repeats:
        for window in repeat.windows:
            begin, end = window.begin_offset_ns / _NS_PER_S, window.end_offset_ns / _NS_PER_S
            yield Span(window.phase, begin, end)
