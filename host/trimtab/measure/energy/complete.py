"""Energy of a sensor that leaves nothing out between two updates: averages and counters; pure.

What such a sensor tells is a mean power over a span, and the spans follow one another without a
gap; so only the window's ends, and when exactly an update came, leave anything open.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trimtab.measure.energy.errors import NoEnergy
from trimtab.records import Float64Array

_NEAR = 10  # spans to each side that show how restless the load is
_NORMAL_QUARTILE = 0.6744897501960817


@dataclass(frozen=True)
class Spans:
    """``power[k]``, in mW, is the mean from ``bounds_s[k]`` to ``bounds_s[k + 1]``.

    ``blur_s``: within how long a time around it each bound lies, any moment as likely as another.
    ``length_s``: over how long the sensor itself averages, or counts.
    """

    bounds_s: Float64Array
    power: Float64Array
    blur_s: Float64Array
    length_s: Float64Array

    def around(self, at_s: float) -> tuple[int, float]:
        """Which span holds a moment, and which share of it has passed by then."""
        last = len(self.power) - 1
        index = int(np.clip(np.searchsorted(self.bounds_s, at_s, side="right") - 1, 0, last))
        begin, end = self.bounds_s[index : index + 2]
        return index, float(np.clip((at_s - begin) / (end - begin), 0.0, 1.0))


def energy_within(name: str, spans: Spans, begin_s: float, end_s: float) -> float:
    """In mJ. Raises NoEnergy: the spans do not reach from end to end."""
    bounds = spans.bounds_s
    if len(spans.power) == 0 or bounds[0] > begin_s or bounds[-1] < end_s:
        raise NoEnergy(f"the updates of {name} do not reach from the window's begin to its end")
    overlap = np.minimum(bounds[1:], end_s) - np.maximum(bounds[:-1], begin_s)
    return float(np.maximum(overlap, 0.0) @ spans.power)


def cut_error(spans: Spans, at_s: float) -> float:
    """The standard error from a window's end that cuts a span, in mJ.

    The share x of a span's energy is taken, but how the power went within the span nobody knows:
    for a load without memory its standard deviation is ``s sqrt(x (1 - x))`` (a Brownian bridge),
    s being that of the spans' energies; for a peak or a step within the span the same holds with
    what the span has more or less than its neighbours. The larger of the two counts.
    """
    index, share = spans.around(at_s)
    if spans.bounds_s[index + 1] - spans.bounds_s[index] > 1.5 * spans.length_s[index]:
        share = 0.5  # several updates told the same
    neighbours = spans.power[max(index - 1, 0) : index + 2]
    peak = float(np.abs(neighbours - spans.power[index]).max())
    restless = _spread(spans.power[max(index - _NEAR, 0) : index + _NEAR + 1])
    return float(spans.length_s[index]) * max(peak, restless) * math.sqrt(share * (1 - share))


def _spread(power: Float64Array) -> float:
    """The standard deviation of normal values whose differences have this median."""
    if len(power) < 2:
        return 0.0
    return float(np.median(np.abs(np.diff(power)))) / (_NORMAL_QUARTILE * math.sqrt(2))
