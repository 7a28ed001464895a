"""Where training runs: the fastest device that torch has here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trimtab.records import UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

DEVICE_VARIABLE = "TRIMTAB_TRAINING_DEVICE"
_TYPES = ("cpu", "cuda", "mps")


def training_device() -> torch.device:
    """As the environment's TRIMTAB_TRAINING_DEVICE says, else CUDA, MPS, CPU. Raises UserError."""
    import torch

    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    wanted = os.environ.get(DEVICE_VARIABLE, "")
    if not wanted:
        return torch.device(next(name for name, here in present.items() if here))
    try:
        device = torch.device(wanted)
    except RuntimeError:
        device = None
    if device is None or device.type not in _TYPES:
        raise UserError(
            f"{DEVICE_VARIABLE} is {wanted!r}, which is no device to train on",
            f"set it to one of {', '.join(_TYPES)}, or cuda:1 and so on; or unset it",
        )
    if not present[device.type]:
        raise UserError(
            f"{DEVICE_VARIABLE} is {wanted!r}, and torch has no such device here",
            f"unset it, or set it to {next(name for name, here in present.items() if here)}",
        )
    return device


def moved(values: Any, device: torch.device) -> Any:
    """Tensors, and those in tuples, lists and mappings; anything else is given back as it is."""
    import torch

    if isinstance(values, torch.Tensor):
        return values.to(device)
    if isinstance(values, Mapping):
        return {name: moved(each, device) for name, each in values.items()}
    if isinstance(values, tuple | list):
        return type(values)(moved(each, device) for each in values)
    return values


def follow(module: nn.Module, inputs: tuple[Tensor, ...]) -> nn.Module:
    """``module``, moved in place to where ``inputs`` are: a teacher inside a loss.

    Give it a copy of what others use too.
    """
    here = next(module.parameters(), None)
    if here is not None and inputs and here.device != inputs[0].device:
        module.to(inputs[0].device)
    return module
