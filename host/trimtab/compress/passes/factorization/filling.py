"""A new layer with given weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def filled(made: Any, like: Tensor, weight: Tensor, bias: Tensor | None) -> nn.Module:
    """Where ``like`` is, of its type, and trained only if it is."""
    made = made.to(device=like.device, dtype=like.dtype)
    with torch.no_grad():
        made.weight.copy_(weight)
        if bias is not None:
            made.bias.copy_(bias)
    for parameter in made.parameters():
        parameter.requires_grad_(like.requires_grad)
    result: nn.Module = made
    return result
