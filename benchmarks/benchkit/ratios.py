"""A ratio of two figures measured in turns, and whether it keeps a bound; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from trimtab.measure.stats import log_t_interval

BOUND = 0.01


@dataclass(frozen=True)
class Ratio:
    """``low`` and ``high``: a 95 % t-interval over the logarithms of ``count`` ratios."""

    value: float
    low: float
    high: float
    count: int

    @property
    def resolution(self) -> float:
        """Half the width of the interval, as a fraction."""
        return math.sqrt(self.high / self.low) - 1

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class Verdict:
    """``off``: the bound is broken, and that is certain."""

    text: str
    off: bool = False


def ratio_of(ratios: Sequence[float]) -> Ratio | None:
    """None where there are fewer than two."""
    interval = log_t_interval(ratios)
    if interval is None:
        return None
    return Ratio(geometric_mean(ratios), *interval, len(ratios))


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(fmean(map(math.log, values)))


def judge(ratio: Ratio | None, bound: float = BOUND) -> Verdict:
    """Within the bound, off it, or the width of the interval that cannot tell the two apart."""
    if ratio is None:
        return Verdict("not resolved: one ratio has no interval")
    if ratio.low >= 1 - bound and ratio.high <= 1 + bound:
        return Verdict(f"within {bound:.0%}")
    if ratio.high < 1 - bound or ratio.low > 1 + bound:
        return Verdict(f"OFF by {ratio.value - 1:+.1%}", off=True)
    resolution = f"resolution {ratio.resolution:.1%}"
    if ratio.resolution > bound:
        return Verdict(f"not resolved: {resolution}")
    return Verdict(f"not resolved: {ratio.low - 1:+.1%} to {ratio.high - 1:+.1%} ({resolution})")
