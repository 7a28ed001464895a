"""How much faster one of two interleaved artifacts is; pure.

In each repeat both run blocks in turns; a pair of blocks gives one ratio of medians, so that drift
slower than a pair cancels out. A repeat (two fresh processes) gives the median of its ratios: a
processor that changes its speed between two blocks of a pair, up as often as down, does not move
it. The repeat is the unit, because blocks of one repeat share their processes. Of an artifact and
itself the repeats' ratios lie symmetrically about 1, whatever the noise, and the signed-rank
interval asks for no more than that; of fewer than six repeats it is Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trimtab.measure import signed_rank
from trimtab.measure.stats import Interval, log_t_interval
from trimtab.records import Int64Array

RatioVerdict = Literal["faster", "slower", "no difference seen", "undecided"]
Blocks = Mapping[int, Int64Array]


@dataclass(frozen=True)
class Comparison:
    """``ratio``: A's time over B's, below 1 where A is faster. ``ci95`` None: one repeat only.

    ``resolution``: half the width of the interval, as a fraction: smaller differences stay unseen.
    """

    ratio: float
    ci95: Interval | None
    per_repeat: tuple[float, ...]
    pair_count: int

    @property
    def verdict(self) -> RatioVerdict:
        return verdict_of(self.ci95)

    @property
    def resolution(self) -> float | None:
        return None if self.ci95 is None else math.sqrt(self.ci95[1] / self.ci95[0]) - 1


def verdict_of(ci95: Interval | None) -> RatioVerdict:
    """Of the interval of a ratio of times: faster or slower only where it excludes 1."""
    if ci95 is None:
        return "undecided"
    if ci95[1] < 1:
        return "faster"
    return "slower" if ci95[0] > 1 else "no difference seen"


def compare(first: Sequence[Blocks], second: Sequence[Blocks]) -> Comparison | str:
    """A comparison of the blocks of A and B, repeat by repeat; or why there is none."""
    logarithms = [_log_ratios(a, b) for a, b in zip(first, second, strict=False)]
    paired = [ratios for ratios in logarithms if ratios]
    if not paired:
        return "no pair of blocks was measured"
    medians = [float(np.median(ratios)) for ratios in paired]
    ratio, ci95 = _centre(medians)
    return Comparison(
        ratio=ratio,
        ci95=ci95,
        per_repeat=tuple(math.exp(each) for each in medians),
        pair_count=sum(len(ratios) for ratios in paired),
    )


def _centre(logarithms: Sequence[float]) -> tuple[float, Interval | None]:
    found = signed_rank.interval(logarithms)
    if found is None:
        ratios = [math.exp(each) for each in logarithms]
        return math.exp(float(np.mean(logarithms))), log_t_interval(ratios)
    return math.exp(signed_rank.centre(logarithms)), (math.exp(found[0]), math.exp(found[1]))


def sentence(comparison: Comparison, first: str, second: str) -> str:
    """ "A is 12 % faster than B [9 %, 15 %]": in speeds, so that B is as much slower than A."""
    verdict, ci95 = comparison.verdict, comparison.ci95
    if ci95 is None or comparison.resolution is None:
        return f"{first} and {second}: one repeat has no interval; ask for two or more"
    if verdict == "no difference seen":
        resolution = _percent(comparison.resolution)
        return f"{first} and {second}: no difference seen (resolution {resolution})"
    if verdict == "faster":
        share, low, high = 1 / comparison.ratio, 1 / ci95[1], 1 / ci95[0]
    else:
        share, (low, high) = comparison.ratio, ci95
    interval = f"[{_percent(low - 1)}, {_percent(high - 1)}]"
    return f"{first} is {_percent(share - 1)} {verdict} than {second} {interval}"


def _log_ratios(first: Blocks, second: Blocks) -> list[float]:
    """One a pair; a block that the clock saw no time pass in has none."""
    medians = [
        (float(np.median(first[index])), float(np.median(second[index])))
        for index in sorted(first.keys() & second.keys())
        if len(first[index]) and len(second[index])
    ]
    return [math.log(a / b) for a, b in medians if a > 0 and b > 0]


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"
