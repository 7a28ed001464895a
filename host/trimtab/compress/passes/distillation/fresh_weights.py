"""Weights as an untrained model has them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from trimtab.task import seed_everything

if TYPE_CHECKING:
    from torch import nn


def initialise(model: nn.Module, seed: int) -> tuple[str, ...]:
    """In place, each layer by its own reset; the names of parameters that no layer resets."""
    seed_everything(seed)
    kept: list[str] = []
    for name, layer in model.named_modules():
        owner = _transformers_model(model, name)
        if owner is not None:
            owner._init_weights(layer)
            continue
        reset = getattr(layer, "reset_parameters", None) or getattr(
            layer, "_reset_parameters", None
        )
        if reset is not None:
            reset()
        else:
            own = [each for each, _ in layer.named_parameters(recurse=False)]
            kept += [f"{name}.{each}" if name else each for each in own]
    return tuple(kept)


def _transformers_model(model: nn.Module, name: str) -> Any:
    """The nearest one of that library that the layer is in: it knows how its layers begin."""
    library = sys.modules.get("transformers")
    if library is None:
        return None
    parts = name.split(".") if name else []
    for length in range(len(parts), -1, -1):
        each = model.get_submodule(".".join(parts[:length]))
        if isinstance(each, library.PreTrainedModel):
            return each
    return None
