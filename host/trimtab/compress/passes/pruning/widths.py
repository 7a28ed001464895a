"""How many units of each coupling are left, for a share that is to be removed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.pruning.couplings import Coupling, Unit
from trimtab.compress.passes.pruning.importance import Scores

if TYPE_CHECKING:
    pass

# By coupling.
Shares = Mapping[str, float]
Kept = Mapping[str, int]
LARGEST_SHARE = 0.95
_HALVINGS = 12


def kept_units(coupling: Coupling, share: float, round_to: int) -> int:
    """The nearest number with a multiple of ``round_to`` channels, at least one such multiple."""
    units = len(coupling.units)
    step = round_to // math.gcd(round_to, coupling.width) if coupling.rounded else 1
    if share <= 0 or units <= step:
        return units
    nearest = math.floor(units * (1 - share) / step + 0.5) * step
    return min(units, max(step, nearest))


def kept_of(couplings: Sequence[Coupling], shares: Shares, round_to: int) -> Kept:
    """Couplings without a share stay whole."""
    return {each.name: kept_units(each, shares.get(each.name, 0.0), round_to) for each in couplings}


def least(couplings: Sequence[Coupling], scores: Scores, kept: Kept) -> list[Unit]:
    """Units to remove: the lowest scores of each coupling."""
    chosen: list[Unit] = []
    for each in couplings:
        surplus = len(each.units) - kept.get(each.name, len(each.units))
        order = scores[each.name].argsort(stable=True).tolist()
        chosen.extend(each.units[index] for index in order[: max(0, surplus)])
    return chosen


def uniform(couplings: Sequence[Coupling], amount: float) -> dict[str, float]:
    return {each.name: amount for each in couplings}


def ranked_together(
    couplings: Sequence[Coupling], scores: Scores, amount: float
) -> dict[str, float]:
    """The lowest scores of all go: layers that matter less lose more of theirs."""
    import torch

    everything = torch.cat([scores[each.name] for each in couplings])
    count = round(amount * len(everything))
    if not count:
        return uniform(couplings, 0.0)
    limit = everything.sort().values[count - 1]
    return {
        each.name: min(LARGEST_SHARE, float((scores[each.name] <= limit).float().mean()))
        for each in couplings
    }


def scaled(shares: Shares, amount: float, measured_at: float) -> Shares:
    """Shares for another amount: in proportion below, and towards all of every layer above.

    In proportion alone a layer that loses little would keep most of what it has, whatever is asked.
    """
    if amount <= measured_at:
        return {name: share * amount / measured_at for name, share in shares.items()}
    way = (amount - measured_at) / (LARGEST_SHARE - measured_at)
    return {
        name: min(LARGEST_SHARE, share + way * (LARGEST_SHARE - share))
        for name, share in shares.items()
    }


def kept_for_macs(
    couplings: Sequence[Coupling],
    shares_of: Callable[[float], Shares],
    round_to: int,
    macs_of: Callable[[Kept], float],
    target: float,
) -> Kept:
    """The weakest cut with at most ``target`` of the multiply-accumulates. Raises PassRejected.

    The amount is found by bisection. Rounding moves many layers at once: those that lost most to
    it get back what they had just before, as long as the target is kept.
    """

    def at(amount: float) -> Kept:
        return kept_of(couplings, shares_of(amount), round_to)

    weak, strong = 0.0, LARGEST_SHARE
    if macs_of(at(strong)) > target:
        raise PassRejected(
            f"macs = {target:g} cannot be reached: {macs_of(at(strong)):.3g} are left with "
            f"{strong:.0%} of all that can be removed gone; ask for less, or lower round_to"
        )
    if macs_of(at(weak)) <= target:
        return at(weak)
    for _ in range(_HALVINGS):
        middle = (weak + strong) / 2
        if macs_of(at(middle)) <= target:
            strong = middle
        else:
            weak = middle
    return _given_back(couplings, dict(at(strong)), at(weak), macs_of, target)


def _given_back(
    couplings: Sequence[Coupling],
    kept: dict[str, int],
    more: Kept,
    macs_of: Callable[[Kept], float],
    target: float,
) -> Kept:
    lost = {each.name: (more[each.name] - kept[each.name]) / len(each.units) for each in couplings}
    for name in sorted((n for n in lost if lost[n] > 0), key=lambda n: -lost[n]):
        tried = {**kept, name: more[name]}
        if macs_of(tried) <= target:
            kept = tried
    return kept
