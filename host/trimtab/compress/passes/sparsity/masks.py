"""Which weights are zero, chosen by their magnitudes, and how they stay so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Tensors = Mapping[str, "Tensor"]
Masks = dict[str, "Tensor"]


@dataclass(frozen=True)
class Zeros:
    """Of one weight: ``mask`` is true where it is zero and stays so."""

    mask: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.mask.shape)

    def restore(self, weight: Tensor) -> None:
        weight.masked_fill_(self.mask.to(weight.device), 0.0)


@dataclass(frozen=True)
class Pattern:
    """N:M: of each ``of`` weights in a row along the input dimension, ``keep`` stay."""

    keep: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Raises ValueError."""
        found = re.fullmatch(r"(\d+):(\d+)", text)
        if not found or not 0 < int(found[1]) < int(found[2]):
            raise ValueError(
                f"{text!r} is no pattern; write it as '2:4', which keeps 2 of each 4 weights"
            )
        return cls(int(found[1]), int(found[2]))

    def fits(self, weight: Tensor, dimension: int) -> bool:
        return weight.shape[dimension] % self.of == 0


def zeros_of(weights: Tensors) -> Masks:
    return {name: each == 0 for name, each in weights.items()}


def smallest_together(weights: Tensors, share: float) -> Masks:
    """The smallest of all weights, which takes more from some than from others."""
    import torch

    if not weights:
        return {}
    joined = torch.cat([each.flatten() for each in weights.values()])
    parts = torch.split(smallest(joined, share), [each.numel() for each in weights.values()])
    return {
        name: part.view_as(each) for (name, each), part in zip(weights.items(), parts, strict=True)
    }


def smallest(weight: Tensor, share: float) -> Tensor:
    """Of equal ones the first; weights that are zero belong to it, even where it wants fewer."""
    magnitudes = weight.abs().flatten()
    count = round(share * magnitudes.numel())
    chosen = magnitudes == 0
    if count > 0:
        limit = magnitudes.kthvalue(count).values
        below, equal = magnitudes < limit, magnitudes == limit
        chosen = chosen | below | (equal & (equal.cumsum(0) <= count - below.sum()))
    return chosen.view_as(weight)


def below(weight: Tensor, threshold: float) -> Tensor:
    return weight.abs() <= threshold


def in_pattern(weight: Tensor, pattern: Pattern, dimension: int, zeros: int) -> Tensor:
    """Of each row of ``pattern.of`` weights along ``dimension``, the ``zeros`` smallest."""
    import torch

    if zeros == 0:
        return weight == 0
    rows = weight.movedim(dimension, -1)
    groups = rows.abs().reshape(-1, pattern.of)
    order = groups.argsort(dim=1, stable=True)
    chosen = torch.zeros_like(groups, dtype=torch.bool).scatter_(1, order[:, :zeros], True)
    return chosen.reshape(rows.shape).movedim(-1, dimension) | (weight == 0)
