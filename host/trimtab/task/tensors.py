"""Between what a task's functions give and what the chain works with: tuples of arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
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

    What has no axes is the same in all.
    """
    return tuple(
        np.concatenate(parts) if parts[0].ndim else parts[0] for parts in zip(*batches, strict=True)
    )


def sample_count(arrays: Arrays) -> int:
    return max((len(array) for array in arrays if array.ndim), default=1)


def joined_runs(runs: Sequence[Arrays]) -> Arrays:
    """The outputs of single runs along their first axis; what has none is one value a run."""
    return joined([tuple(np.atleast_1d(array) for array in run) for run in runs])


def first_samples(arrays: Arrays, count: int) -> Arrays:
    return tuple(array[:count] if array.ndim else array for array in arrays)


def single_samples(
    data: NamedArrays, rows: Mapping[str, int] = MappingProxyType({})
) -> Iterator[NamedArrays]:
    """One by one, each still with a batch dimension, of 1.

    ``rows``: for files with a fixed batch, how many of each input make one run. An array without
    axes goes into every run as it is.
    """
    steps = {name: rows.get(name, 1) for name, array in data.items() if array.ndim}
    count = min((len(data[name]) // step for name, step in steps.items()), default=1)
    for index in range(count):
        starts = {name: index * step for name, step in steps.items()}
        yield {
            name: array[starts[name] : starts[name] + steps[name]] if name in steps else array
            for name, array in data.items()
        }
