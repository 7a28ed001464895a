"""Layers that have no effect taken out, and linear layers that follow each other merged."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

from torch import nn

from trimtab.compress.passes.factorization.factored import merged, weights_of
from trimtab.compress.passes.factorization.replacing import replace_layer
from trimtab.compress.passes.factorization.sites import shared_layers

_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


def without_dropout(model: nn.Module, keep: Collection[str]) -> list[str]:
    """Their names. It has an effect in training only."""
    names = [
        name
        for name, each in model.named_modules()
        if isinstance(each, _DROPOUTS) and name not in keep
    ]
    for name in names:
        replace_layer(model, name, nn.Identity())
    return names


def without_identities(model: nn.Module, keep: Collection[str]) -> list[str]:
    """Out of rows of layers, of which one is left; elsewhere the model's code calls them."""
    names: list[str] = []
    for outer, container in _rows(model):
        for key, each in list(container.named_children()):
            name = _inner(outer, key)
            if type(each) is nn.Identity and name not in keep and len(container) > 1:
                del container._modules[key]
                names.append(name)
    return names


def merge_linear(model: nn.Module, keep: Collection[str]) -> list[str]:
    """Those with nothing between them, where one layer has fewer weights than both."""
    names: list[str] = []
    fixed = shared_layers(model) | set(keep)
    for outer, container in _rows(model):
        while pair := _next_pair(container, outer, fixed):
            first, second, whole = pair
            container._modules[first] = whole
            del container._modules[second]
            names.append(f"{_inner(outer, first)} and {second}")
    return names


def _rows(model: nn.Module) -> list[tuple[str, nn.Sequential]]:
    return [(name, each) for name, each in model.named_modules() if type(each) is nn.Sequential]


def _next_pair(
    container: nn.Sequential, outer: str, fixed: Collection[str]
) -> tuple[str, str, nn.Module] | None:
    for (key, first), (next_key, second) in pairwise(container.named_children()):
        fixed_names = {_inner(outer, key), _inner(outer, next_key)} & set(fixed)
        if fixed_names or _has_hooks(first) or _has_hooks(second):
            continue
        whole = merged(first, second)
        if whole is not None and weights_of([whole]) < weights_of([first, second]):
            return key, next_key, whole.train(first.training)
    return None


def _has_hooks(layer: nn.Module) -> bool:
    return bool(layer._forward_hooks or layer._forward_pre_hooks)


def _inner(outer: str, key: str) -> str:
    return f"{outer}.{key}" if outer else key
