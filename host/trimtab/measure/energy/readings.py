"""A sensor's readings, and which of them are updates: pure, in seconds from a window's origin.

A sensor that is read more often than it updates tells the same again; a sensor that is read more
seldom hides updates. Both are seen from the period of the updates, which the device has looked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trimtab.measure.energy.errors import NoEnergy
from trimtab.records import Float64Array, SensorInfo, SensorSeries

LEAST_CHANGES = 4  # that tell how often a sensor updates
_LARGEST = {"mW": 1e9, "mJ": 1e15}  # a megawatt; ten years of a kilowatt and more
_NS_PER_S = 1e9
_STEP_UNIT = 1e-6  # a nanowatt: finer than any sensor's step
_LARGEST_STEPPED = 1e12  # what 64 bits hold of those
_SHORT = 0.1  # this share of the intervals is of one update, and was read late and then early
_MUCH_FASTER, _SLOWER = 0.75, 1.25
_LEAST_DISTINCT = 2


@dataclass(frozen=True)
class Readings:
    """``time_s`` ascending; ``period_s`` 0: how often the sensor updates is not known.

    ``step``: the sensor's resolution in its unit, 0 where it cannot be seen.
    """

    time_s: Float64Array
    value: Float64Array
    period_s: float
    step: float

    @property
    def constant(self) -> bool:
        return bool((self.value == self.value[0]).all())

    @property
    def gap_s(self) -> float:
        """Between two readings, usually."""
        return float(np.median(np.diff(self.time_s)))

    @property
    def period_ns(self) -> int:
        return round(self.period_s * _NS_PER_S)

    @property
    def usual_s(self) -> float:
        """Between two readings that tell something new, at best."""
        return max(self.period_s, self.gap_s)


@dataclass(frozen=True)
class Updates:
    """When each was new, and by how much earlier it may have been (``time_s`` is the middle)."""

    time_s: Float64Array
    value: Float64Array
    blur_s: Float64Array


def readings_of(info: SensorInfo, series: SensorSeries, origin_ns: int) -> Readings:
    """Raises NoEnergy: too few, out of order, or no numbers that a sensor can have."""
    if len(series.values) < 2:
        raise NoEnergy(f"{info.name} was read {len(series.values)} times in all")
    time_s = (series.offset_ns - origin_ns) / _NS_PER_S
    if (np.diff(time_s) <= 0).any():
        raise NoEnergy(f"the readings of {info.name} are not in the order of their times")
    wrong = ~(np.abs(series.values) <= _LARGEST[info.unit])  # NaN too
    if wrong.any():
        seen = f"{series.values[wrong][0]:g} {info.unit}"
        raise NoEnergy(f"{info.name} told what cannot be: {seen}, {int(wrong.sum())} times")
    period_s = _period(info.sample_period_ns / _NS_PER_S, time_s, series.values)
    base = series.values.min() if info.kind == "counter" else 0.0
    return Readings(time_s, series.values, period_s, _step(series.values - base))


def updates(readings: Readings) -> Updates:
    """Runs of equal values come down to as many updates as the period says, one at least.

    Where the period is not known each reading is one.
    """
    if readings.period_s == 0:
        return Updates(readings.time_s, readings.value, np.zeros_like(readings.time_s))
    first = _first_of_updates(readings)
    before = np.diff(readings.time_s, prepend=readings.time_s[0] - readings.period_s)
    blur = np.minimum(before[first], readings.period_s)
    return Updates(readings.time_s[first] - blur / 2, readings.value[first], blur)


def changes(readings: Readings) -> Updates:
    """Only where a value was new, and the first reading, which nobody knows the age of."""
    first = np.flatnonzero(np.diff(readings.value, prepend=np.nan) != 0)
    before = np.diff(readings.time_s, prepend=readings.time_s[0])
    blur = before[first]
    if readings.period_s:
        blur = np.minimum(blur, readings.period_s)
    return Updates(readings.time_s[first] - blur / 2, readings.value[first], blur)


def _first_of_updates(readings: Readings) -> npt.NDArray[np.intp]:
    """Indices of the readings at which an update was first seen."""
    time_s, size = readings.time_s, len(readings.time_s)
    starts = np.flatnonzero(np.diff(readings.value, prepend=np.nan) != 0)
    counts = np.diff(np.append(starts, size))
    ends = np.append(time_s[starts[1:]], time_s[-1])
    expected = np.rint((ends - time_s[starts]) / readings.period_s)
    told = np.clip(expected, 1, counts)
    place = np.arange(size) - np.repeat(starts, counts)
    group = np.floor(place * np.repeat(told / counts, counts) + 1e-9)
    new = np.diff(group, prepend=-1.0) != 0
    new[starts] = True
    return np.flatnonzero(new)


def _period(told_s: float, time_s: Float64Array, value: Float64Array) -> float:
    """The one told, unless updates came faster: a value that happens to come again hides updates,
    and never adds any. 0: not told, and updates come as fast as they are read, or hardly ever."""
    seen_s = _period_seen(time_s, value)
    if told_s and (not seen_s or seen_s > _MUCH_FASTER * told_s):
        return told_s
    slower_than_read = seen_s > _SLOWER * float(np.median(np.diff(time_s)))
    return seen_s if slower_than_read else 0.0


def _period_seen(time_s: Float64Array, value: Float64Array) -> float:
    """From the intervals between changes, each of one update or of several that told the same.

    0: it changed too seldom to tell.
    """
    changed = time_s[1:][np.diff(value) != 0]
    if len(changed) < LEAST_CHANGES:
        return 0.0
    intervals = np.diff(changed)
    period = float(np.quantile(intervals, _SHORT))
    for _ in range(3):
        period = float(intervals.sum() / np.maximum(np.rint(intervals / period), 1.0).sum())
    return period


def _step(values: Float64Array) -> float:
    """The greatest common divisor of what was read: the true step divides it.

    Of few different values it may be much larger than the step: that errs to the wide side. 0 where
    all values are the same.
    """
    if np.abs(values).max() > _LARGEST_STEPPED:
        return 0.0
    distinct = np.unique(np.rint(values / _STEP_UNIT).astype(np.int64))
    if len(distinct) < _LEAST_DISTINCT:
        return 0.0
    return float(np.gcd.reduce(distinct)) * _STEP_UNIT
