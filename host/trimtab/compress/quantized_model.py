"""A model that computes in float what its int8 file computes in integers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

# Registers the operators that quantize and dequantize, without which no saved model loads.
import torch.ao.quantization.fx._decomposed
from torch import nn

if TYPE_CHECKING:
    from torch.export import ExportedProgram

_FILES = ("folded.pt2", "unfolded.pt2")


class QuantizedModel(nn.Module):
    """Calibrated or trained by PT2E and converted: quantize and dequantize stand in its graph.

    ``folded`` has int8 weights, ``unfolded`` float weights that are quantized in the graph. Both
    compute the same; which one a converter can read differs.
    """

    def __init__(self, folded: ExportedProgram, unfolded: ExportedProgram) -> None:
        super().__init__()
        self._programs = (folded, unfolded)
        self._folded = folded.module(check_guards=False)
        self._unfolded = unfolded.module(check_guards=False)

    def forward(self, *inputs: Any) -> Any:
        return self._folded(*inputs)

    def converted(self, fold_weights: bool) -> nn.Module:
        return self._folded if fold_weights else self._unfolded

    def train(self, mode: bool = True) -> QuantizedModel:
        """Nothing to do: no layer is left that behaves differently, and torch.export refuses it."""
        return self

    def save(self, folder: Path) -> None:
        for program, name in zip(self._programs, _FILES, strict=True):
            torch.export.save(program, folder / name)

    @classmethod
    def load(cls, folder: Path) -> QuantizedModel:
        folded, unfolded = (torch.export.load(folder / name) for name in _FILES)
        return cls(folded, unfolded)
