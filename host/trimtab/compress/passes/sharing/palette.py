"""A few values that all weights of a layer share (Han et al., 2016, arXiv:1510.00149)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Values = np.ndarray[Any, np.dtype[np.float64]]
_MOST_ROUNDS = 300


@dataclass(frozen=True)
class Palette:
    """Of one weight: ``members`` says for each the number of its value, of ``size``.

    ``pinned``: number 0 is zero and stays so.
    """

    members: Tensor
    size: int
    pinned: bool

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.members.shape)

    def restore(self, weight: Tensor) -> None:
        """Each value becomes the mean of its members, each of which a step moved by itself."""
        import torch

        members = self.members.to(weight.device).flatten().long()
        sums = torch.bincount(members, weights=weight.flatten().double(), minlength=self.size)
        values = sums / torch.bincount(members, minlength=self.size).clamp(min=1)
        if self.pinned:
            values[0] = 0.0
        weight.copy_(values[members].view_as(weight))


def palette_of(weight: Tensor, size: int, preserve_zeros: bool) -> Palette:
    """At most ``size`` values, zero among them where it is to be preserved and there are any."""
    import torch

    flat = weight.detach().cpu().flatten().double().numpy()
    zeros = flat == 0 if preserve_zeros else np.zeros(flat.shape, bool)
    pinned = bool(zeros.any())
    members = np.zeros(flat.shape, np.int64)
    if not zeros.all():
        members[~zeros] = _nearest(flat[~zeros], size - pinned) + pinned
    numbers, members = np.unique(members, return_inverse=True)
    kind = torch.uint8 if len(numbers) <= 256 else torch.int32
    return Palette(torch.from_numpy(members).view(weight.shape).to(kind), len(numbers), pinned)


def _nearest(values: Values, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.searchsorted(_borders(_centroids(values, count)), values)


def _centroids(values: Values, count: int) -> Values:
    """k-means in one dimension, from evenly spaced centroids: few large weights matter more.

    Clusters are stretches of the sorted values, and their means differences of one running sum:
    exact, and the same on any number of threads.
    """
    ordered = np.sort(values)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centroids = np.linspace(ordered[0], ordered[-1], count)
    for _ in range(_MOST_ROUNDS):
        limits = np.searchsorted(ordered, _borders(centroids))
        limits = np.concatenate([[0], limits, [len(ordered)]])
        sizes = np.diff(limits)
        means = np.diff(sums[limits]) / np.maximum(sizes, 1)
        moved = np.where(sizes > 0, means, centroids)
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return centroids


def _borders(centroids: Values) -> Values:
    middles: Values = (centroids[1:] + centroids[:-1]) / 2
    return middles
