"""When a device began to throttle, by what its sensors told around a repeat; pure.

The same signs as the device itself goes by: a flag, a counter that grew, or a frequency that
dropped and stayed down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trimtab.records import SensorSeries

FREQUENCY_DROP = 0.10
_FLAGS = {
    "under_voltage": "under-voltage",
    "frequency_capped": "frequency capped",
    "throttled": "throttled",
    "soft_temperature_limit": "soft temperature limit",
}
_COUNTER = "throttle_count"
_FREQUENCY = "frequency_mhz"
_TEMPERATURE = "temperature_c"
_NOTHING = SensorSeries(np.array([], dtype=np.int64), np.array([], dtype=np.float64))
Sensors = Mapping[str, SensorSeries]


@dataclass(frozen=True)
class Onset:
    """``offset_ns`` on the clock of the samples' starts; ``seen``: what told it."""

    offset_ns: int
    seen: str


def throttle_onset(sensors: Sensors) -> Onset | None:
    """The first sign. None: there was none, or nothing that could tell (see :func:`can_tell`)."""
    signs = (_flagged(sensors), _counted(sensors), _dropped(sensors))
    found = [sign for sign in signs if sign is not None]
    if not found:
        return None
    first = min(found, key=lambda sign: sign.offset_ns)
    return Onset(first.offset_ns, first.seen + _heat(sensors, first.offset_ns))


def can_tell(sensors: Sensors) -> bool:
    return any(name in sensors for name in (*_FLAGS, _COUNTER, _FREQUENCY))


def _flagged(sensors: Sensors) -> Onset | None:
    first: dict[str, int] = {}
    for sensor, flag in _FLAGS.items():
        series = sensors.get(sensor, _NOTHING)
        if series.values.any():
            first[flag] = int(series.offset_ns[series.values != 0][0])
    if not first:
        return None
    begin = min(first.values())
    return Onset(begin, ", ".join(flag for flag, offset in first.items() if offset == begin))


def _counted(sensors: Sensors) -> Onset | None:
    series = sensors.get(_COUNTER, _NOTHING)
    grown = np.diff(series.values) > 0
    if not grown.any():
        return None
    return Onset(int(series.offset_ns[1:][grown][0]), "the processor counts a throttling")


def _dropped(sensors: Sensors) -> Onset | None:
    """Two readings in a row: one alone is a governor at work."""
    series = sensors.get(_FREQUENCY, _NOTHING)
    highest = np.maximum.accumulate(series.values)[:-1]
    now, following = series.values[:-1], series.values[1:]
    low = np.maximum(now, following) < (1 - FREQUENCY_DROP) * highest
    if not low.any():
        return None
    seen = f"frequency down from {highest[low][0]:.0f} to {now[low][0]:.0f} MHz"
    return Onset(int(series.offset_ns[:-1][low][0]), seen)


def _heat(sensors: Sensors, offset_ns: int) -> str:
    series = sensors.get(_TEMPERATURE, _NOTHING)
    if not len(series.values):
        return ""
    nearest = int(np.argmin(np.abs(series.offset_ns - offset_ns)))
    return f", at {series.values[nearest]:.1f} °C"
