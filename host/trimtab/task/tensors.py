"""Between what a task's functions give and what the chain works with: tuples of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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
    """Batches put together along their first axis. Raises ValueError where they do not fit.

    A number without an axis (0-d) is the same for all samples: the first batch's.
    """
    return tuple(
        np.concatenate(parts) if parts[0].ndim else parts[0] for parts in zip(*batches, strict=True)
    )


def batch_length(arrays: Iterable[npt.NDArray[Any]]) -> int:
    """The number of samples, 1 where nothing has an axis for them."""
    return min((len(array) for array in arrays if array.ndim), default=1)


def first_samples(arrays: Arrays, count: int) -> Arrays:
    return tuple(array[:count] if array.ndim else array for array in arrays)


def single_samples(data: NamedArrays) -> Iterator[NamedArrays]:
    """One by one, each still with a batch dimension, of 1."""
    for index in range(batch_length(data.values())):
        yield {
            name: array[index : index + 1] if array.ndim else array for name, array in data.items()
        }
