"""A model that computes in float what its int8 file computes in integers."""

from __future__ import annotations

from typing import Any

from torch import nn


class QuantizedModel(nn.Module):
    """Calibrated or trained by PT2E and converted: quantize and dequantize stand in its graph.

    ``folded`` has int8 weights, ``unfolded`` float weights that are quantized in the graph. Both
    compute the same; which one a converter can read differs.
    """

    def __init__(self, folded: nn.Module, unfolded: nn.Module) -> None:
        super().__init__()
        self._folded = folded
        self._unfolded = unfolded

    def forward(self, *inputs: Any) -> Any:
        return self._folded(*inputs)

    def converted(self, fold_weights: bool) -> nn.Module:
        return self._folded if fold_weights else self._unfolded

    def train(self, mode: bool = True) -> QuantizedModel:
        """Nothing to do: no layer is left that behaves differently, and torch.export refuses it."""
        return self
