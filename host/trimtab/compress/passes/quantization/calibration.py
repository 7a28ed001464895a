"""The samples that ranges are calibrated on: the task's own, checked against its example inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from trimtab.compress.passes.base import PassRejected
from trimtab.task import NamedArrays, Task, as_arrays, batch_length, misfit

Origin = Literal["task", "random"]
Array = npt.NDArray[Any]
_FEWEST = 2


@dataclass(frozen=True)
class CalibrationData:
    """``origin``: the end of a sentence, "calibrated on ..."."""

    samples: NamedArrays
    origin: str


def calibration_data(task: Task, count: int, origin: Origin) -> CalibrationData:
    """Raises PassRejected for samples that are not what the model takes, UserError."""
    if origin == "random":
        return _random(task, count)
    arrays = task.calibration(count)
    examples = as_arrays(task.example_inputs)
    function = f"{task.calibration_source}()"
    wrong = misfit(arrays, examples, task.input_names, task.dynamic_shapes() is not None)
    if wrong:
        raise PassRejected(f"{function} {wrong}")
    got = batch_length(arrays)
    if got < _FEWEST:
        raise PassRejected(
            f"{function} gives one sample, and a range seen once says nothing of the next input: "
            f"give at least {_FEWEST}, better some hundred"
        )
    told = f"{got} samples of {function}"
    if got < count:
        told = f"{told}, all there are where {count} were asked for"
    cast = (array.astype(each.dtype) for array, each in zip(arrays, examples, strict=True))
    return CalibrationData(dict(zip(task.input_names, cast, strict=True)), told)


def _random(task: Task, count: int) -> CalibrationData:
    """Standard normal numbers; whole numbers between the least and the largest of the example."""
    generator = np.random.default_rng(task.seed)
    made = {
        name: _like(example, count, generator)
        for name, example in zip(task.input_names, as_arrays(task.example_inputs), strict=True)
    }
    told = f"{count} samples of RANDOM numbers (seed {task.seed}), not on data"
    return CalibrationData(made, told)


def _like(example: Array, count: int, generator: np.random.Generator) -> Array:
    if not example.ndim:
        return example
    shape = (count, *example.shape[1:])
    if example.dtype.kind == "f":
        return generator.standard_normal(shape).astype(example.dtype)
    low, high = int(example.min()), int(example.max())
    return generator.integers(low, high, shape, endpoint=True).astype(example.dtype)
