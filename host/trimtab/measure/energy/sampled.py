"""Energy of a power sensor whose readings are samples of the power; pure.

Each update stands for the part of the window that is nearer to it than to any other. With readings
at random moments of equal strata that is an unbiased estimate for any load, also one whose period
is a multiple of the reader's: the weight of a reading does not depend on where in its stratum it
falls. The error comes from the mean squared difference of successive updates (von Neumann 1941,
"Distribution of the ratio of the mean square successive difference to the variance", Ann. Math.
Stat. 12; for systematic and stratified samples Wolter 1984, "An investigation of some estimators of
variance for systematic sampling", J. Am. Stat. Assoc. 79): it is right for a load that is
unpredictable from one update to the next, and too wide for one that changes slowly. What few
updates have missed they cannot tell, so one more excursion as wide as all that was seen is counted.
"""

from __future__ import annotations

import math

import numpy as np

from trimtab.measure.energy.errors import NoEnergy
from trimtab.measure.energy.readings import Updates
from trimtab.measure.energy.uncertain import MANY_DEGREES, Uncertain
from trimtab.records import Float64Array


def sampled_energy(
    name: str, seen: Updates, begin_s: float, end_s: float, step: float
) -> tuple[Uncertain, int]:
    """In the updates' unit times seconds, and of how many updates. Raises NoEnergy: below two.

    Only updates within the window count: those beyond belong to another phase.
    """
    inside = (seen.time_s >= begin_s) & (seen.time_s <= end_s)
    time_s, value = seen.time_s[inside], seen.value[inside]
    if len(value) < 2:
        raise NoEnergy(f"{name} updated {len(value)} times in the window, which says no spread")
    middles = (time_s[1:] + time_s[:-1]) / 2
    weights = np.diff(np.concatenate(([begin_s], middles, [end_s])))
    variance, degrees = successive_variance(value)
    return Uncertain(
        value=float(weights @ value),
        error=math.sqrt(variance * float(weights @ weights)),
        degrees=degrees,
        shared=step / math.sqrt(12) * (end_s - begin_s),
    ), len(value)


def successive_variance(value: Float64Array) -> tuple[float, float]:
    """Of one value, from the differences of successive ones; and its degrees of freedom.

    These come from the spread of the squared differences themselves, neighbours of which share a
    value: a few peaks that hold most of the energy leave few degrees. With normal values there are
    about two thirds as many as differences, and never more are taken.
    """
    squares = np.diff(value) ** 2
    total = float(squares.sum())
    if total == 0.0:
        return 0.0, MANY_DEGREES
    unseen = float(np.ptp(value)) ** 2
    about = squares - squares.mean()
    spread = float(about @ about) + 2 * float(about[1:] @ about[:-1])
    most = max(1.0, 2 * len(squares) / 3)
    degrees = min(2 * total**2 / spread, most) if spread > 0 else most
    return (total + unseen) / (2 * len(squares)), max(degrees, 1.0)
