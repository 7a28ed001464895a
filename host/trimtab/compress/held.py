"""What later training must leave as an earlier pass made it: zeros, shared values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn

_ATTRIBUTE = "_trimtab_held"


class Held(Protocol):
    """Of one parameter. It is copied, pickled and moved with its model."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def restore(self, weight: Tensor) -> None:
        """Puts back, in place, what a step of training changed. It may be on another device."""


def held(model: nn.Module) -> dict[str, Held]:
    """By the parameters' names."""
    return dict(getattr(model, _ATTRIBUTE, {}))


def hold(model: nn.Module, what: dict[str, Held]) -> None:
    """Over what is held already."""
    setattr(model, _ATTRIBUTE, {**held(model), **what})


def keeps(model: nn.Module, weights: Mapping[str, Tensor]) -> bool:
    """Whether these, of an earlier moment, keep what is held now."""
    import torch

    for name, what in held(model).items():
        if name in weights:
            restored = weights[name].clone()
            what.restore(restored)
            if not torch.allclose(restored, weights[name]):
                return False
    return True


def carry_over(source: nn.Module, target: nn.Module) -> None:
    """To a model made from ``source``: what its parameters of the same name and shape hold."""
    shapes = {name: tuple(each.shape) for name, each in target.named_parameters()}
    kept = {name: what for name, what in held(source).items() if shapes.get(name) == what.shape}
    hold(target, kept)


def restore(model: nn.Module) -> None:
    """After each step of training."""
    import torch

    wanted = held(model)
    if not wanted:
        return
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, what in wanted.items():
            if name in parameters:
                what.restore(parameters[name])
