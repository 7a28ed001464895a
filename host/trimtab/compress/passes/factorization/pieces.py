"""The layers that a product is built of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from trimtab.compress.passes.factorization.factored import (
    Convolution,
    Factored,
    numeric_padding,
)
from trimtab.compress.passes.factorization.filling import filled


def piece(
    layer: Convolution,
    weight: Tensor,
    axes: Sequence[int],
    bias: Tensor | None = None,
    groups: int = 1,
) -> nn.Module:
    """A convolution that has the stride, padding and dilation of ``layer`` along ``axes``."""

    def along(values: Sequence[int], otherwise: int) -> Any:
        return tuple(value if axis in axes else otherwise for axis, value in enumerate(values))

    padding = along(numeric_padding(layer) or (), 0)
    kernel: Any = tuple(weight.shape[2:])
    made = type(layer)(
        weight.shape[1] * groups,
        weight.shape[0],
        kernel,
        along(layer.stride, 1),
        padding,
        along(layer.dilation, 1),
        groups,
        bias is not None,
        layer.padding_mode if any(padding) else "zeros",
    )
    return filled(made, layer.weight, weight, bias)


def linear(layer: Any, weight: Tensor, bias: Tensor | None) -> nn.Module:
    made = nn.Linear(weight.shape[1], weight.shape[0], bias is not None)
    return filled(made, layer.weight, weight, bias)


def row(*stages: nn.Module) -> Factored:
    return Factored(*stages).train(stages[0].training)


def pointwise(matrix: Any, layer: Convolution) -> Tensor:
    """[out, in] as a kernel of size 1."""
    kernel = torch.from_numpy(matrix.copy())
    return kernel.reshape(*kernel.shape, *(1 for _ in layer.kernel_size))
