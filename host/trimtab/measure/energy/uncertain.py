"""A figure with what is not known of it, and how such figures add up.

After the Guide to the expression of uncertainty in measurement (JCGM 100:2008): standard
uncertainties, combined in quadrature where they are independent, with the effective degrees of
freedom of Welch and Satterthwaite (its annex G.4), and widened to an interval by Student's t at the
95.45 % of its table G.2, which is a factor of 2 where the error is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_CONFIDENCE = 0.9545  # of twice a standard error that is known: what is called 95 % by custom
MANY_DEGREES = 1e6
"""Of an uncertainty that is known and not estimated from a sample: a sensor's step."""


@dataclass(frozen=True)
class Uncertain:
    """``error``: the standard error of what differs from one measurement to the next, with its
    ``degrees`` of freedom; ``shared``: the standard uncertainty of what every measurement with this
    sensor has in common, so that repeating does not shrink it. Both in the value's own unit."""

    value: float
    error: float = 0.0
    degrees: float = MANY_DEGREES
    shared: float = 0.0

    @property
    def half_width(self) -> float:
        """Of the 95 % interval."""
        return math.hypot(self.half_width_alone, coverage_factor(MANY_DEGREES) * self.shared)

    @property
    def half_width_alone(self) -> float:
        """Without what the measurements have in common."""
        return coverage_factor(self.degrees) * self.error

    def times(self, factor: float) -> Uncertain:
        size = abs(factor)
        return Uncertain(self.value * factor, self.error * size, self.degrees, self.shared * size)


@lru_cache(maxsize=4096)
def coverage_factor(degrees: float) -> float:
    """Of a standard error with so many degrees of freedom: 2.00 for many, 2.28 for ten."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + _CONFIDENCE / 2))


def independent_sum(parts: Sequence[Uncertain]) -> Uncertain:
    """Of what was measured at different times: the errors add in quadrature."""
    error = math.hypot(*(part.error for part in parts))
    return Uncertain(
        value=math.fsum(part.value for part in parts),
        error=error,
        degrees=_effective_degrees(parts, error),
        shared=math.hypot(*(part.shared for part in parts)),
    )


def simultaneous_sum(parts: Sequence[Uncertain]) -> Uncertain:
    """Of what was measured at the same moments: the errors add up as they are.

    Rails of one board see one load; a reading that misses a peak misses it on all of them, so that
    their errors are not independent and quadrature would be too sure. The sum of the standard
    errors is the most that any dependence can give.
    """
    return Uncertain(
        value=math.fsum(part.value for part in parts),
        error=math.fsum(part.error for part in parts),
        degrees=min((part.degrees for part in parts), default=MANY_DEGREES),
        shared=math.hypot(*(part.shared for part in parts)),
    )


def _effective_degrees(parts: Sequence[Uncertain], error: float) -> float:
    if error == 0.0:
        return MANY_DEGREES
    spread = math.fsum((part.error / error) ** 4 / part.degrees for part in parts)
    return min(1.0 / spread, MANY_DEGREES)
