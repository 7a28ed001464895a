"""Shares of layers that lose least for what they save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST = 0.9
# What samples cannot show is a loss too, of this share of the layers' mean: without it, layers that
# seem free would be emptied, each as far as it goes.
_UNSEEN = 0.05


@dataclass(frozen=True)
class Layer:
    """``cost``: what would be saved without it. ``lost``: (share removed, loss), as tried."""

    name: str
    cost: float
    lost: tuple[tuple[float, float], ...]

    @property
    def sensitivity(self) -> float:
        """s of a loss of s * share**2, by least squares.

        About its least a loss is quadratic in what is taken from the weights (LeCun et al. 1989,
        Optimal Brain Damage); of the few noisy points, one figure a layer is what can be known.
        """
        fitted = sum(share**2 * loss for share, loss in self.lost)
        return max(0.0, fitted / sum(share**4 for share, _ in self.lost))


def assign(
    layers: Sequence[Layer], amount: float, spared: frozenset[str] = frozenset()
) -> dict[str, float]:
    """The costs saved add up to ``amount`` of all layers', or to ``MOST`` of those not spared.

    The losses add up to the least: the last bit saved loses the same in every layer that is not
    cut by ``MOST``. So a layer's share is in proportion to its cost over its sensitivity.
    """
    mean = sum(each.sensitivity for each in layers) / len(layers)
    unseen = _UNSEEN * mean or 1.0
    cut = {each.name: each for each in layers if each.cost > 0 and each.name not in spared}
    worth = {name: each.cost / (each.sensitivity + unseen) for name, each in cut.items()}
    costs = {name: each.cost for name, each in cut.items()}
    shares = _filled(worth, costs, amount * sum(each.cost for each in layers))
    return {each.name: shares.get(each.name, 0.0) for each in layers}


def _filled(
    worth: Mapping[str, float], costs: Mapping[str, float], wanted: float
) -> dict[str, float]:
    """In proportion to their worth; what is beyond ``MOST`` of one goes to the others."""
    shares: dict[str, float] = {}
    open_ones = dict(worth)
    while open_ones:
        left = wanted - sum(share * costs[name] for name, share in shares.items())
        scale = left / sum(each * costs[name] for name, each in open_ones.items())
        full = [name for name, each in open_ones.items() if scale * each > MOST]
        if not full:
            return shares | {name: scale * each for name, each in open_ones.items()}
        for name in full:
            shares[name] = MOST
            del open_ones[name]
    return shares
