"""Batch norm folded into the convolution or linear layer before it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from trimtab.compress.passes.factorization.observation import run
from trimtab.compress.passes.factorization.replacing import replace_layer
from trimtab.compress.passes.factorization.sites import shared_layers
from trimtab.compress.passes.simplification.agreement import Reference

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def fold_batch_norm(
    model: nn.Module, keep: Collection[str], reference: Reference
) -> tuple[list[str], list[str]]:
    """Names of those folded, and of those left since the outputs would change.

    Which layer stands before which is seen in a run; that nothing else reads what is between them
    is seen by the outputs, after each fold.
    """
    folded: list[str] = []
    left: list[str] = []
    fixed = shared_layers(model) | set(keep)
    for before, name in _pairs(model, reference.inputs):
        if {before, name} & fixed:
            continue
        layer: Any = model.get_submodule(before)
        norm: Any = model.get_submodule(name)
        fuse: Any = fuse_linear_bn_eval if type(layer) is nn.Linear else fuse_conv_bn_eval
        made: nn.Module = fuse(layer, norm)
        made.requires_grad_(layer.weight.requires_grad)  # a bias that is new would not be trained
        replace_layer(model, before, made)
        replace_layer(model, name, nn.Identity())
        if reference.agrees(model):
            folded.append(name)
            continue
        replace_layer(model, before, layer)
        replace_layer(model, name, norm)
        left.append(name)
    return folded, left


def _pairs(model: nn.Module, inputs: tuple[Tensor, ...]) -> list[tuple[str, str]]:
    """Layers and the batch norms that take their very outputs; each is called once."""
    made: dict[int, tuple[str, Tensor]] = {}
    found: list[tuple[str, str]] = []
    calls: list[str] = []

    def hook(name: str) -> Any:
        def note(layer: nn.Module, given: tuple[Tensor, ...], result: Tensor) -> None:
            calls.append(name)
            if not isinstance(layer, _NORMS):
                made[id(result)] = (name, result)  # kept: a freed tensor's id is given again
            elif id(given[0]) in made and layer.running_mean is not None:
                found.append((made[id(given[0])][0], name))

        return note

    wanted = (nn.Linear, *_CONVOLUTIONS, *_NORMS)
    layers = [(name, each) for name, each in model.named_modules() if type(each) in wanted]
    handles = [each.register_forward_hook(hook(name)) for name, each in layers]
    try:
        with torch.no_grad():
            run(model, inputs)
    finally:
        for handle in handles:
            handle.remove()
    return [pair for pair in found if all(calls.count(name) == 1 for name in pair)]
