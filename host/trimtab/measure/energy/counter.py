"""Energy of a counter: what it has more at the window's end than at its begin; pure."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from trimtab.measure.energy.complete import Spans, cut_error, energy_within
from trimtab.measure.energy.errors import NoEnergy
from trimtab.measure.energy.readings import Readings, changes
from trimtab.measure.energy.uncertain import Uncertain
from trimtab.measure.wording import show_duration
from trimtab.records import Float64Array

MOST_POWER_JUMP = 10.0
"""Times the largest power seen elsewhere: a wrap-around that would need more was a reset."""


def counter_energy(
    name: str, readings: Readings, begin_s: float, end_s: float, counter_range: float
) -> tuple[Uncertain, int]:
    """In mJ, and of how many updates. ``counter_range`` 0: not told. Raises NoEnergy.

    Between two updates the counter is taken to have grown evenly.
    """
    if readings.constant:
        raise NoEnergy(f"{name} did not move: it told {readings.value[0]:g} mJ all the time")
    told = changes(readings)
    grown = _grown(name, told.value, told.time_s, counter_range)
    lengths = np.diff(told.time_s)
    if not (lengths > 0).all():
        raise NoEnergy(f"the updates of {name} are not in the order of their times")
    spans = Spans(told.time_s, grown / lengths, told.blur_s, lengths)
    value = energy_within(name, spans, begin_s, end_s)
    ends = [
        error
        for at_s in (begin_s, end_s)
        for error in (cut_error(spans, at_s), _timing(spans, at_s))
    ]
    resolution = readings.step / math.sqrt(12)
    inside = (told.time_s >= begin_s) & (told.time_s <= end_s)
    return Uncertain(value, math.hypot(*ends, resolution, resolution)), int(inside.sum())


def _timing(spans: Spans, at_s: float) -> float:
    """From not knowing when between two readings the counter told the values next to the cut."""
    index, share = spans.around(at_s)
    before, after = spans.blur_s[index : index + 2]
    return float(spans.power[index] * math.hypot(before * (1 - share), after * share)) / math.sqrt(
        12
    )


def _grown(
    name: str, value: Float64Array, time_s: Float64Array, counter_range: float
) -> Float64Array:
    """From one update to the next; a decrease is a wrap-around, where it can be one."""
    steps = np.diff(value)
    wraps = steps < 0
    if counter_range <= 0:
        if wraps.any():
            raise NoEnergy(
                f"{name} went down by {-steps[wraps][0]:g} mJ, and where it starts from 0 again "
                "is not told"
            )
        return steps
    if value.max(initial=0.0) > counter_range:
        raise NoEnergy(f"{name} told {value.max():g} mJ, beyond its own range {counter_range:g} mJ")
    grown = np.where(wraps, steps + counter_range, steps)
    _require_one_wrap(name, grown, np.diff(time_s), wraps, counter_range)
    return grown


def _require_one_wrap(
    name: str,
    grown: Float64Array,
    lengths: Float64Array,
    wraps: npt.NDArray[np.bool_],
    counter_range: float,
) -> None:
    if not len(grown):
        return
    power = grown / np.maximum(lengths, np.median(lengths) / 2)  # a short one is mostly blur
    usual = float(power[~wraps].max(initial=0.0))
    if wraps.any() and usual > 0 and float(power[wraps].max()) > MOST_POWER_JUMP * usual:
        raise NoEnergy(f"{name} went down without having reached its end: it was reset")
    longest = float(lengths.max())
    if float(power.max()) * longest >= counter_range:
        raise NoEnergy(
            f"{name} may have started from 0 more than once in the {show_duration(longest)} "
            f"between two readings: its range is {counter_range:g} mJ"
        )
