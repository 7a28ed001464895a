"""Between what a task's functions give and what the chain works with: tuples of arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

Arrays = tuple[npt.NDArray[Any], ...]
NamedArrays = Mapping[str, npt.NDArray[Any]]


def as_tensors(value: object) -> tuple[Tensor, ...]:
    """A tensor, a sequence or a mapping of them. Raises TypeError for anything else."""
    import torch

    if isinstance(value, torch.Tensor):
        return (value,)
    if isinstance(value, np.ndarray):
        return (torch.from_numpy(value),)
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list) and value:
        return tuple(tensor for each in value for tensor in as_tensors(each))
    raise TypeError(f"a tensor or a tuple of tensors was expected, not {type(value).__name__}")


def as_arrays(value: object) -> Arrays:
    """Raises TypeError."""
    return tuple(tensor.detach().cpu().numpy() for tensor in as_tensors(value))


def joined(batches: list[Arrays]) -> Arrays:
    """Batches put together along their first axis. Raises ValueError where they do not fit."""
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


def first_samples(arrays: Arrays, count: int) -> Arrays:
    return tuple(array[:count] for array in arrays)


def single_samples(data: NamedArrays) -> Iterator[NamedArrays]:
    """One by one, each still with a batch dimension, of 1."""
    count = min(len(array) for array in data.values())
    for index in range(count):
        yield {name: array[index : index + 1] for name, array in data.items()}
