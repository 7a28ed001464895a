"""How sparse weights have become, in the words of a lineage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.compress.passes.sparsity.layer_weights import layer_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Sparsity:
    """``zeros`` of ``weights`` in ``layers`` layers; ``most``: the share in the ``sparsest``."""

    zeros: int
    weights: int
    layers: int
    sparsest: str
    most: float

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> Sparsity:
        zeros = {name: int((each == 0).sum()) for name, each in weights.items()}
        shares = {name: zeros[name] / each.numel() for name, each in weights.items()}
        sparsest = max(shares, key=lambda name: shares[name])
        count = sum(each.numel() for each in weights.values())
        layers = len({layer_of(name) for name in weights})
        most = shares[sparsest]
        return cls(sum(zeros.values()), count, layers, layer_of(sparsest) or sparsest, most)

    @property
    def share(self) -> float:
        return self.zeros / self.weights

    def __str__(self) -> str:
        layers = "1 layer" if self.layers == 1 else f"{self.layers} layers"
        return (
            f"{self.share:.1%} of the {self.weights:,} weights in {layers} are zero "
            f"(most in {self.sparsest}, {self.most:.1%}); a float file stays as large, compressed "
            "it is smaller"
        )
