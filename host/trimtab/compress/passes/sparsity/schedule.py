"""Zeros that become more while the model trains (Zhu & Gupta, 2017, arXiv:1710.01878)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trimtab.compress import held
from trimtab.compress.passes.sparsity.masks import Masks, Tensors, Zeros, zeros_of

if TYPE_CHECKING:
    from torch import nn

# Progress from 0, no zero yet, to 1, all of them.
MasksAt = Callable[["Tensors", float], "Masks"]


@dataclass(frozen=True)
class Schedule:
    """``begin`` and ``end``: shares of all ``steps``; ``every``: steps from change to change."""

    begin: float
    end: float
    every: int
    steps: int

    def progress(self, share: float) -> float:
        """The paper's cubic curve: most zeros come early, while the network can still make good."""
        if share >= self.end:
            return 1.0
        return 1 - (1 - max(0.0, share - self.begin) / (self.end - self.begin)) ** 3

    def due(self, share: float) -> bool:
        step = round(share * self.steps)
        if step / self.steps >= self.end:
            return (step - 1) / self.steps < self.end
        return step / self.steps >= self.begin and step % self.every == 0


@dataclass
class Sparsifier:
    """Sets weights to zero, and holds them there.

    A weight that is zero stays zero: the paper keeps its value under the mask, here it is gone. So
    a training that goes on from a checkpoint finds its masks in the weights themselves.
    """

    model: nn.Module
    weights: dict[str, nn.Parameter]
    masks_at: MasksAt
    schedule: Schedule
    _begun: bool = field(default=False, init=False)

    def after_step(self, share: float) -> None:
        if self.schedule.due(share):
            self.apply(self.schedule.progress(share))
        elif not self._begun:
            self._hold(zeros_of(self._values()))
        self._begun = True

    def apply(self, progress: float) -> None:
        self._hold(self.masks_at(self._values(), progress))

    def _values(self) -> Tensors:
        return {name: each.detach() for name, each in self.weights.items()}

    def _hold(self, masks: Masks) -> None:
        held.hold(self.model, {name: Zeros(mask) for name, mask in masks.items()})
        held.restore(self.model)
