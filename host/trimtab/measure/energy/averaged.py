"""Energy of a sensor that averages: a value published at t covers [t - T, t]; pure.

T is the period of its updates: each value covers what the one before did not.
"""

from __future__ import annotations

import math

import numpy as np

from trimtab.measure.energy.complete import Spans, cut_error, energy_within
from trimtab.measure.energy.readings import Readings, Updates, changes, updates
from trimtab.measure.energy.sampled import sampled_energy
from trimtab.measure.energy.uncertain import Uncertain

SEES_ALL = 2.0
"""Periods of the readings that an update must last to be seen for sure: one falls in each."""


def averaged_energy(
    name: str, readings: Readings, begin_s: float, end_s: float
) -> tuple[Uncertain, int]:
    """In mJ, and of how many updates. Raises NoEnergy.

    Where readings may have missed an update, those that were seen are samples of the power.
    """
    period_s = readings.period_s
    if readings.constant or _misses_updates(readings, begin_s, end_s):
        seen = updates(readings)
        earlier = Updates(seen.time_s - period_s / 2, seen.value, seen.blur_s)
        return sampled_energy(name, earlier, begin_s, end_s, readings.step)
    spans = _spans(readings)
    return Uncertain(
        value=energy_within(name, spans, begin_s, end_s),
        error=math.hypot(
            cut_error(spans, begin_s), cut_error(spans, end_s), _timing(spans, begin_s, end_s)
        ),
        shared=readings.step / math.sqrt(12) * (end_s - begin_s),
    ), _update_count(readings, begin_s, end_s)


def _misses_updates(readings: Readings, begin_s: float, end_s: float) -> bool:
    """Read too seldom for them, or not for as long as one lasts."""
    period_s = readings.period_s
    if period_s < SEES_ALL * readings.gap_s:
        return True
    near = (readings.time_s > begin_s - period_s) & (readings.time_s < end_s + 2 * period_s)
    return bool(np.diff(readings.time_s[near]).max(initial=0.0) > period_s)


def _spans(readings: Readings) -> Spans:
    """A value holds from its update to the next one, and is of a period earlier."""
    told = changes(readings)
    last = readings.time_s[-1]
    lengths = np.full(len(told.value), readings.period_s)
    return Spans(
        np.append(told.time_s, last) - readings.period_s,
        told.value,
        np.append(told.blur_s, 0.0),
        lengths,
    )


def _timing(spans: Spans, begin_s: float, end_s: float) -> float:
    """From not knowing when between two readings a value became the next one."""
    inner = spans.bounds_s[1:-1]
    inside = (inner > begin_s) & (inner < end_s)
    steps = np.diff(spans.power)[inside] * spans.blur_s[1:-1][inside]
    return math.sqrt(float(steps @ steps) / 12)


def _update_count(readings: Readings, begin_s: float, end_s: float) -> int:
    times = updates(readings).time_s - readings.period_s / 2
    return int(((times > begin_s) & (times < end_s)).sum())
