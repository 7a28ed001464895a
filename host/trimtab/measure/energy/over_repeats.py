"""From repeats' energies to one figure with its 95 % interval; pure.

The repeat is the unit, as for latencies: a Student t-interval over the repeats. What is not known
of each repeat widens it in quadrature: the errors that differ from repeat to repeat by their root
mean square over the root of the number of repeats (they are in the spread of the repeats too, which
with few of them may look small by chance), and what all share in full.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from trimtab.measure.energy.uncertain import MANY_DEGREES, Uncertain, coverage_factor
from trimtab.measure.stats import Interval, t_quantile


def geometric(repeats: Sequence[Uncertain]) -> tuple[float, Interval]:
    """Of positive figures, on their logarithms; with one that is not, as :func:`arithmetic`.

    With a single repeat the interval is of the repeat's own uncertainty alone.
    """
    if min(each.value for each in repeats) <= 0:
        return arithmetic(repeats)
    relative = [
        Uncertain(
            math.log(each.value), each.error / each.value, each.degrees, each.shared / each.value
        )
        for each in repeats
    ]
    centre, (low, high) = arithmetic(relative)
    return math.exp(centre), (math.exp(low), math.exp(high))


def arithmetic(repeats: Sequence[Uncertain]) -> tuple[float, Interval]:
    """Of figures that may be zero or below, such as an energy above idle."""
    count = len(repeats)
    centre = math.fsum(each.value for each in repeats) / count
    within = math.hypot(*(each.half_width_alone for each in repeats)) / count
    shared = math.fsum(coverage_factor(MANY_DEGREES) * each.shared for each in repeats) / count
    reach = math.hypot(_between(repeats, centre), within, shared)
    return centre, (centre - reach, centre + reach)


def _between(repeats: Sequence[Uncertain], centre: float) -> float:
    count = len(repeats)
    if count < 2:
        return 0.0
    squares = math.fsum((each.value - centre) ** 2 for each in repeats)
    return t_quantile(count - 1) * math.sqrt(squares / (count - 1) / count)
