"""Layers that stand one after another and differ in their weights alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import nn

Start = Literal["mean", "first"]


@dataclass(frozen=True)
class Run:
    """``layers`` of the list ``name``, alike and in their order."""

    name: str
    layers: tuple[nn.Module, ...]

    def groups(self, size: int | None) -> list[tuple[nn.Module, ...]]:
        """Of ``size`` layers each, the last perhaps smaller; None: all in one."""
        size = size or len(self.layers)
        return [self.layers[at : at + size] for at in range(0, len(self.layers), size)]


def runs_of_alike(model: nn.Module) -> list[Run]:
    """Of at least two layers, in the model's module lists.

    A layer is made of several that have weights: lists of single ones, as of heads, are no stack.
    """
    from torch import nn

    return [
        Run(name, each)
        for name, layers in model.named_modules()
        if isinstance(layers, nn.ModuleList)
        for each in _runs(list(layers))
        if len(each) > 1
    ]


def _runs(layers: Sequence[nn.Module]) -> Iterator[tuple[nn.Module, ...]]:
    run: list[nn.Module] = []
    for each in layers:
        if run and not (_is_stackable(each) and _alike(run[0], each)):
            yield tuple(run)
            run = []
        run.append(each)
    if run:
        yield tuple(run)


def _alike(one: nn.Module, other: nn.Module) -> bool:
    return type(one) is type(other) and _shapes(one) == _shapes(other)


def _shapes(layer: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(each.shape) for name, each in layer.named_parameters()}


def _is_stackable(layer: nn.Module) -> bool:
    return sum(1 for each in layer.modules() if any(True for _ in each.parameters(False))) > 1


def share(layers: Sequence[nn.Module], start: Start) -> None:
    """All get the parameters of the first; what else they hold (masks, positions) stays theirs."""
    import torch

    first, *others = layers
    with torch.no_grad():
        for name, parameter in first.named_parameters():
            if start == "mean":
                each = [layer.get_parameter(name) for layer in layers]
                parameter.copy_(torch.stack(list(each)).mean(0))
            path, _, leaf = name.rpartition(".")
            for layer in others:
                setattr(layer.get_submodule(path), leaf, parameter)
