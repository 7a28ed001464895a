"""Whether a sensor told about the whole of a window; pure."""

from __future__ import annotations

import numpy as np

from trimtab.measure.energy.errors import NoEnergy
from trimtab.measure.energy.readings import LEAST_CHANGES, Readings
from trimtab.measure.wording import show_duration

LONGEST_GAP = 10.0
"""Usual intervals between readings that tell something new; a window may go without."""
UNLIKELY = 1e-9
"""A silence that a sensor which updates as before would show this seldom is a stall."""
_FLICKER = 1.5  # steps
_SUREST = 0.99


def require_covered(
    name: str, readings: Readings, begin_s: float, end_s: float, *, idle: bool = False
) -> None:
    """Raises NoEnergy: readings are missing at an end or within, or the sensor stalled.

    ``idle``: the window may be quiet. What a sensor tells settles on a step there and stays,
    however often it changed before; one that stalled at a busy level makes before and after differ.
    """
    _require_readings(name, readings, begin_s, end_s)
    if not idle:
        _require_updates(name, readings, begin_s, end_s)


def _require_readings(name: str, readings: Readings, begin_s: float, end_s: float) -> None:
    allowed = LONGEST_GAP * readings.usual_s
    inside = (readings.time_s > begin_s) & (readings.time_s < end_s)
    edges = np.concatenate(([begin_s], readings.time_s[inside], [end_s]))
    longest = int(np.argmax(np.diff(edges)))
    gap = float(np.diff(edges)[longest])
    if not inside.any():
        raise NoEnergy(f"{name} was not read within the window of {show_duration(end_s - begin_s)}")
    if gap > allowed:
        raise NoEnergy(
            f"{name} was not read for {show_duration(gap)}, {show_duration(edges[longest])} into "
            f"the window of {show_duration(end_s - begin_s)} (usually every "
            f"{show_duration(readings.usual_s)})"
        )


def _require_updates(name: str, readings: Readings, begin_s: float, end_s: float) -> None:
    """A signal that stays the same is no stall: how often it changed otherwise decides.

    Of a power only changes by more than the sensor's step count for that: a steady level half-way
    between two steps flickers, and another one does not.
    """
    changed = int((np.abs(np.diff(readings.value)) > _FLICKER * readings.step).sum())
    if changed < LEAST_CHANGES:
        return
    starts = np.flatnonzero(np.diff(readings.value, prepend=np.nan) != 0)
    times = np.append(readings.time_s[starts], readings.time_s[-1])
    silent = np.minimum(times[1:], end_s) - np.maximum(times[:-1], begin_s)
    longest = int(np.argmax(silent))
    length = float(silent[longest])
    expected = length / readings.usual_s
    if expected < LONGEST_GAP:
        return
    elsewhere = max((times[-1] - times[0] - length) / readings.usual_s, 0.0)
    rate = min((changed + 1) / (elsewhere + 2), _SUREST)  # Laplace's estimate
    if (1 - rate) ** expected < UNLIKELY:
        at = max(float(times[longest]) - begin_s, 0.0)
        raise NoEnergy(
            f"{name} stalled: nothing new for {show_duration(length)}, {show_duration(at)} into "
            f"the window of {show_duration(end_s - begin_s)} (usually every "
            f"{show_duration(readings.usual_s)})"
        )
