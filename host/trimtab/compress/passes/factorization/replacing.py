"""Layers taken out of a model, and others put in their place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from torch import Tensor, nn

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.factorization.factored import Factored, fuse_back, weights_of
from trimtab.compress.passes.factorization.observation import observe, run, total_macs
from trimtab.compress.passes.factorization.sites import some


def replace_layer(model: nn.Module, name: str, made: nn.Module) -> None:
    outer, _, last = name.rpartition(".")
    setattr(model.get_submodule(outer), last, made)


def replace_all(model: nn.Module, made: Mapping[str, nn.Module], inputs: Sequence[Tensor]) -> None:
    """Raises PassRejected where the model's own code reads from a layer what it no longer has."""
    for name, each in made.items():
        replace_layer(model, name, each)
    try:
        run(model, inputs)
    except (AttributeError, TypeError) as error:
        raise PassRejected(
            f"the model's forward reads more from its layers than their outputs ({error}); "
            f"name those in skip, of {some(list(made))}"
        ) from error


def fuse_back_where_dearer(
    model: nn.Module, inputs: Sequence[Tensor], keep: Collection[str] = ()
) -> tuple[str, ...]:
    """Makes one layer again of each that no longer saves work, as after pruning; their names."""
    fused: list[str] = []
    every = [(name, each) for name, each in model.named_modules() if isinstance(each, Factored)]
    for name, factored in every:
        if name in keep:
            continue
        before = _cost(model, list(factored), inputs)
        replace_layer(model, name, fuse_back(factored))
        if _cost(model, [model.get_submodule(name)], inputs) > before:
            replace_layer(model, name, factored)
        else:
            fused.append(name)
    return tuple(fused)


def _cost(model: nn.Module, layers: Sequence[nn.Module], inputs: Sequence[Tensor]) -> int:
    """MACs of the whole model; weights where a table stands, which has none."""
    if isinstance(layers[0], nn.Embedding):
        return weights_of(layers)
    return total_macs(observe(model, inputs))
