"""What each layer with weights does in one run: how often it is called, on how many positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
WEIGHTED = (nn.Linear, nn.Embedding, *_CONVOLUTIONS, *_TRANSPOSED)


@dataclass(frozen=True)
class Observed:
    """Positions by axis, of a convolution's image or a linear layer's sequence.

    ``macs``: multiply-accumulates of all its calls; a look-up has none.
    """

    calls: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    macs: int


def observe(model: nn.Module, inputs: Sequence[Tensor]) -> dict[str, Observed]:
    """By the layers' names, of those that are called. ``inputs``: one sample."""
    seen: dict[str, Observed] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(layer: Any, given: tuple[Tensor, ...], result: Tensor) -> None:
            seen[name] = _observed(layer, given[0], result, seen.get(name))

        return hook

    layers = [(name, each) for name, each in model.named_modules() if isinstance(each, WEIGHTED)]
    handles = [each.register_forward_hook(note(name)) for name, each in layers]
    try:
        run(model, inputs)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def run(model: nn.Module, inputs: Sequence[Tensor]) -> Any:
    """In eval mode, without gradients; the mode is as it was afterwards."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            return model(*inputs)
    finally:
        model.train(was_training)


def total_macs(seen: dict[str, Observed]) -> int:
    return sum(each.macs for each in seen.values())


def _observed(layer: Any, given: Tensor, result: Tensor, before: Observed | None) -> Observed:
    if isinstance(layer, (*_CONVOLUTIONS, *_TRANSPOSED)):
        inputs, outputs = tuple(given.shape[2:]), tuple(result.shape[2:])
    else:
        positions = result.numel() // result.shape[-1]
        inputs = outputs = (positions,)
    counted = inputs if isinstance(layer, _TRANSPOSED) else outputs
    macs = 0 if isinstance(layer, nn.Embedding) else layer.weight.numel()
    for size in counted:
        macs *= size
    calls = before.calls + 1 if before else 1
    return Observed(calls, inputs, outputs, macs + (before.macs if before else 0))
