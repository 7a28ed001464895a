"""Whether samples are what the model takes, going by the example inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trimtab.task.tensors import Arrays

Array = npt.NDArray[Any]


def misfit(
    samples: Arrays, examples: Arrays, names: Sequence[str], any_size: bool = False
) -> str | None:
    """What is wrong and what to do, to stand after the name of the function that gave them.

    ``any_size``: the model takes other sizes than the example's.
    """
    if len(samples) != len(examples):
        return (
            f"gives {len(samples)} inputs where the model takes {len(examples)} "
            f"({', '.join(names)}): give a tuple of all of them"
        )
    for name, array, example in zip(names, samples, examples, strict=True):
        wrong = _input_misfit(array, example, any_size)
        if wrong:
            return f"gives for input {name} {wrong}"
    if len({len(array) for array in samples if array.ndim}) > 1:
        return "gives inputs of different lengths: each sample needs all inputs"
    return None


def _input_misfit(array: Array, example: Array, any_size: bool) -> str | None:
    told = (
        f"{array.dtype} of shape {_shape(array)} where the model takes "
        f"{example.dtype} of shape {_shape(example)}"
    )
    same_size = array.shape[1:] == example.shape[1:]
    if array.ndim != example.ndim or not (any_size or same_size):
        is_labels = array.dtype.kind in "iu" and example.dtype.kind == "f"
        return f"{told}: {'labels in place of inputs?' if is_labels else 'correct its batches'}"
    if _kind(array) != _kind(example):
        return f"{told}: convert it in the task file, as for the model"
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return f"values that are NaN or infinite{_where(array)}: leave them out"
    return None


def _where(array: Array) -> str:
    if not array.ndim:
        return ""
    bad = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
    return f", in {len(bad)} of {len(array)} samples (first: sample {bad[0]})"


def _kind(array: Array) -> str:
    """Widths convert without a loss worth a word; whole numbers and fractions do not mix."""
    return "i" if array.dtype.kind in "iu" else array.dtype.kind


def _shape(array: Array) -> str:
    return f"({', '.join(['N', *map(str, array.shape[1:])])})" if array.ndim else "() (0-d)"
