"""A layer as a row of smaller ones, and the way back to one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from trimtab.compress.passes.factorization.filling import filled

Linear = nn.Linear
Convolution = nn.Conv1d | nn.Conv2d
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)


class Factored(nn.Sequential):
    """Stands for one layer: linear layers or convolutions with nothing between them."""


def is_convolution(layer: object) -> TypeGuard[Convolution]:
    return type(layer) in _CONVOLUTIONS


def numeric_padding(layer: Convolution) -> tuple[int, ...] | None:
    """None: padding "same" that is not the same on both sides."""
    if isinstance(layer.padding, str):
        spans = [
            dilation * (size - 1)
            for dilation, size in zip(layer.dilation, layer.kernel_size, strict=True)
        ]
        if layer.padding == "valid":
            return (0,) * len(spans)
        return None if any(span % 2 for span in spans) else tuple(span // 2 for span in spans)
    return tuple(layer.padding)


def fuse_back(factored: nn.Sequential) -> nn.Module:
    """The one layer that computes the same. Raises ValueError where there is none."""
    stages = list(factored)
    whole = stages[0]
    for stage in stages[1:]:
        together = merged(whole, stage)
        if together is None:
            raise ValueError("these layers do not make one")
        whole = together
    return whole.train(factored.training)


def weights_of(layers: Iterable[nn.Module]) -> int:
    """Without biases: what a position costs in multiplications."""
    return sum(each.weight.numel() for each in layers if isinstance(each.weight, Tensor))


@torch.no_grad()
def merged(first: nn.Module, second: nn.Module) -> nn.Module | None:
    """One layer for two that follow each other; None: they do not make one."""
    if type(first) is nn.Embedding and type(second) is nn.Linear:
        plain = first.max_norm is None and second.bias is None
        return _embedding(first, second) if plain else None
    if type(first) is nn.Linear and type(second) is nn.Linear:
        return _linear(first, second)
    if is_convolution(first) and is_convolution(second) and type(first) is type(second):
        return _convolution(first, second)
    return None


def _embedding(first: nn.Embedding, second: nn.Linear) -> nn.Module:
    table = first.weight.double() @ second.weight.double().T
    rows, columns = table.shape
    whole = nn.Embedding(rows, columns, padding_idx=first.padding_idx)
    return filled(whole, first.weight, table, None)


def _linear(first: nn.Linear, second: nn.Linear) -> nn.Module:
    weight = second.weight.double() @ first.weight.double()
    bias = None if second.bias is None else second.bias.double()
    if first.bias is not None:
        carried = second.weight.double() @ first.bias.double()
        bias = carried if bias is None else bias + carried
    whole = nn.Linear(first.in_features, second.out_features, bias is not None)
    return filled(whole, first.weight, weight, bias)


def _convolution(first: Convolution, second: Convolution) -> nn.Module | None:
    places = [_axis(first, second, axis) for axis in range(len(first.kernel_size))]
    depthwise = second.groups > 1
    if None in places or first.groups > 1:
        return None
    if depthwise and not second.groups == second.in_channels == second.out_channels:
        return None
    if first.bias is not None and any(numeric_padding(second) or (1,)):
        return None
    weight = _product(first.weight.double(), second.weight.double(), depthwise)
    bias = _bias(first, second, depthwise)
    strides, paddings, dilations = zip(*(place for place in places if place), strict=True)
    kernel: Any = tuple(weight.shape[2:])
    whole = type(first)(
        first.in_channels,
        second.out_channels,
        kernel,
        strides,
        paddings,
        dilations,
        bias=bias is not None,
        padding_mode=second.padding_mode if second.padding_mode != "zeros" else first.padding_mode,
    )
    return filled(whole, first.weight, weight, bias)


def _axis(first: Convolution, second: Convolution, axis: int) -> tuple[int, int, int] | None:
    """Stride, padding and dilation of both in one; None: one kernel cannot be both."""
    paddings = [numeric_padding(each) for each in (first, second)]
    if paddings[0] is None or paddings[1] is None:
        return None
    if second.kernel_size[axis] == 1 and not paddings[1][axis]:
        stride = first.stride[axis] * second.stride[axis]
        return stride, paddings[0][axis], first.dilation[axis]
    if first.kernel_size[axis] == 1 and not paddings[0][axis] and first.stride[axis] == 1:
        return second.stride[axis], paddings[1][axis], second.dilation[axis]
    return None


def _product(first: Tensor, second: Tensor, depthwise: bool) -> Tensor:
    """[middle, in, *k1] and [out, middle, *k2]; along each axis one of the kernels has size 1."""
    size = [max(a, b) for a, b in zip(first.shape[2:], second.shape[2:], strict=True)]
    one = first.expand(*first.shape[:2], *size).flatten(2)
    two = second.expand(*second.shape[:2], *size).flatten(2)
    whole = two * one if depthwise else torch.einsum("omp,mip->oip", two, one)
    return whole.reshape(*whole.shape[:2], *size)


def _bias(first: Convolution, second: Convolution, depthwise: bool) -> Tensor | None:
    own = None if second.bias is None else second.bias.double()
    if first.bias is None:
        return own
    reach = second.weight.double().flatten(2).sum(2)
    before = first.bias.double()
    carried = reach[:, 0] * before if depthwise else reach @ before
    return carried if own is None else own + carried
