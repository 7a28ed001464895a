"""Between numpy and torch, for the two runtimes that take torch's tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab_agent.runtimes.base import ModelRefused

if TYPE_CHECKING:
    from trimtab_agent.runtimes.base import Tensor

_NAMES = (
    "float32",
    "float16",
    "float64",
    "int8",
    "uint8",
    "int16",
    "int32",
    "int64",
    "bool",
)


def dtype_name(dtype: Any, tensor: str) -> str:
    """numpy's name of a torch dtype. Raises ModelRefused for one that numpy does not have."""
    name = str(dtype).removeprefix("torch.")
    if name not in _NAMES:
        served = ", ".join(sorted(_NAMES))
        raise ModelRefused(f"{tensor!r} is of type {name}; served are tensors of {served}")
    return name


def to_torch(array: Tensor) -> Any:
    """A copy of its own: the caller's array may change or go."""
    import torch

    return torch.from_numpy(array.copy())


def to_numpy(tensor: Any) -> Tensor:
    copied: Tensor = tensor.detach().cpu().numpy().copy()
    return copied


def only_tensors(values: Any) -> tuple[Any, ...]:
    """The outputs of a module, flat. Raises ModelRefused where one is no tensor."""
    import torch
    from torch.utils._pytree import tree_leaves

    leaves = tuple(tree_leaves(values))
    for each in leaves:
        if not isinstance(each, torch.Tensor):
            raise ModelRefused(f"an output is of type {type(each).__name__}, not a tensor")
    return leaves
