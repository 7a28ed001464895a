"""The weights of layers that passes on single weights work on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

# Of these the first dimension is the input's; of every other layer the second.
_INPUT_FIRST = ("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "Conv1D")


def layer_weights(
    model: nn.Module, skip: Sequence[str] = (), embeddings: bool = False
) -> dict[str, nn.Parameter]:
    """By the parameters' names: matrices and kernels, neither biases nor those of norms.

    ``skip``: names of layers, or patterns of them, that are left out. A weight that two layers have
    in common is there once, under its first name.
    """
    return {
        name: weight
        for name, layer, weight in _weights(model)
        if (embeddings or not is_embedding(layer)) and not _matches(layer_of(name), skip)
    }


def unknown_layers(model: nn.Module, skip: Sequence[str]) -> str | None:
    """What is wrong with ``skip``, and what it may name."""
    layers = [layer_of(name) for name, _, _ in _weights(model)]
    wrong = [each for each in skip if not any(_matches(layer, [each]) for layer in layers)]
    if not wrong:
        return None
    return f"skip names no layer with {wrong[0]!r}; the layers are {', '.join(layers)}"


def input_dimension(model: nn.Module, name: str) -> int:
    """Of the weight, the dimension along which a layer's inputs are summed."""
    return 0 if type(model.get_submodule(layer_of(name))).__name__ in _INPUT_FIRST else 1


def layer_of(parameter: str) -> str:
    return parameter.rpartition(".")[0]


def is_embedding(layer: nn.Module) -> bool:
    return "Embedding" in type(layer).__name__


def _matches(layer: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(layer, each) for each in patterns)


def _weights(model: nn.Module) -> Iterator[tuple[str, nn.Module, nn.Parameter]]:
    for name, parameter in model.named_parameters():
        layer = model.get_submodule(layer_of(name))
        is_weight = "weight" in name.rpartition(".")[2] and parameter.ndim >= 2
        if is_weight and parameter.is_floating_point() and "Norm" not in type(layer).__name__:
            yield name, layer, parameter
