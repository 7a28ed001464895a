"""The samples that ranges are calibrated on: the task's own, checked against its example inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from trimtab.compress.passes.base import PassRejected
from trimtab.task import Arrays, NamedArrays, TaskData

Origin = Literal["task", "random"]
Array = npt.NDArray[Any]
_FEWEST = 2


@dataclass(frozen=True)
class CalibrationData:
    """``origin``: the end of a sentence, "calibrated on ..."."""

    samples: NamedArrays
    origin: str


def calibration_data(task: TaskData, count: int, origin: Origin) -> CalibrationData:
    """Raises PassRejected for samples that are not what the model takes, UserError."""
    if origin == "random":
        return _random(task, count)
    arrays = task.calibration(count)
    function = task.calibration_origin
    wrong = _problem(task, arrays)
    if wrong:
        raise PassRejected(f"{function} {wrong}")
    got = len(arrays[0])
    if got < _FEWEST:
        raise PassRejected(
            f"{function} gives one sample, and a range seen once says nothing of the next input: "
            f"give at least {_FEWEST}, better some hundred"
        )
    told = f"{got} samples of {function}"
    if got < count:
        told = f"{told}, all there are where {count} were asked for"
    return CalibrationData(dict(zip(task.input_names, arrays, strict=True)), told)


def _random(task: TaskData, count: int) -> CalibrationData:
    """Standard normal numbers; whole numbers between the least and the largest of the example."""
    generator = np.random.default_rng(task.seed)
    made = {
        name: _like(example, count, generator)
        for name, example in zip(task.input_names, task.example_arrays, strict=True)
    }
    return CalibrationData(
        made, f"{count} samples of RANDOM numbers, seed {task.seed}, not of data"
    )


def _like(example: Array, count: int, generator: np.random.Generator) -> Array:
    shape = (count, *example.shape[1:])
    if np.issubdtype(example.dtype, np.floating):
        return generator.standard_normal(shape).astype(example.dtype)
    low, high = int(example.min()), int(example.max())
    return generator.integers(low, high, shape, endpoint=True).astype(example.dtype)


def _problem(task: TaskData, arrays: Arrays) -> str | None:
    """What is wrong and what to do, as the end of a sentence."""
    examples = task.example_arrays
    if len(arrays) != len(examples):
        return (
            f"gives {len(arrays)} inputs where the model takes {len(examples)} "
            f"({', '.join(task.input_names)}): give a tuple of all of them"
        )
    any_size = task.any_size
    for name, array, example in zip(task.input_names, arrays, examples, strict=True):
        wrong = _input_problem(array, example, any_size)
        if wrong:
            return f"gives for input {name} {wrong}"
    lengths = {len(array) for array in arrays}
    if len(lengths) > 1:
        return "gives inputs of different lengths: each sample needs all inputs"
    return None


def _input_problem(array: Array, example: Array, any_size: bool) -> str | None:
    given, wanted = _kind(array), _kind(example)
    told = f"{array.dtype} of shape {_shape(array)} where the model takes "
    told += f"{example.dtype} of shape {_shape(example)}"
    same_size = array.shape[1:] == example.shape[1:]
    if array.ndim != example.ndim or not (any_size or same_size):
        hint = "labels in place of inputs?" if given == "iu" else "give batches as the model takes"
        return f"{told}: {hint}"
    if given != wanted:
        return f"{told}: convert it in the task file, as for the model"
    if given == "f" and not np.isfinite(array).all():
        bad = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
        return (
            f"values that are NaN or infinite, in {len(bad)} of {len(array)} samples "
            f"(first: sample {bad[0]}): leave them out"
        )
    return None


def _kind(array: Array) -> str:
    if np.issubdtype(array.dtype, np.floating):
        return "f"
    return "iu" if np.issubdtype(array.dtype, np.integer) else array.dtype.kind


def _shape(array: Array) -> str:
    return f"({', '.join(['N', *map(str, array.shape[1:])])})"
