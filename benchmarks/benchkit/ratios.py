"""A ratio of two figures measured in turns, and whether it keeps a bound; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from trimtab.measure import signed_rank
from trimtab.measure.stats import log_t_interval

BOUND = 0.01


@dataclass(frozen=True)
class Ratio:
    """``low`` and ``high``: a 95 % interval over ``count`` ratios, see :func:`ratio_of`."""

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
    """By signed ranks of the logarithms, of fewer than six by Student's t; None of fewer than two.

    Ranks, because a processor that changes its speed makes a few of the ratios lie far away.
    """
    logarithms = [math.log(ratio) for ratio in ratios]
    found = signed_rank.interval(logarithms)
    if found is not None:
        low, high = (math.exp(each) for each in found)
        return Ratio(math.exp(signed_rank.centre(logarithms)), low, high, len(ratios))
    interval = log_t_interval(ratios)
    return None if interval is None else Ratio(geometric_mean(ratios), *interval, len(ratios))


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
