"""A model file as the task: what it takes, and the data that was given with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from trimtab.evaluation_file import read_evaluation, read_inputs
from trimtab.external_data import external_data_files
from trimtab.records import UserError
from trimtab.task.model_inputs import ModelInput, model_inputs
from trimtab.task.tensors import Arrays, first_samples

NEEDS_THE_MODEL = 'the model itself, not a file of it: give module = "task.py"'
_RANDOM_RUNS = 8
DataRole = Literal["eval", "calibration"]
_FUNCTIONS: dict[str, DataRole] = {"eval_data": "eval", "calibration_data": "calibration"}


class FileTask:
    """``evaluation_file`` and ``calibration_file`` are .npz files of inputs by name."""

    metric: Callable[[Any, Any], float] | None = None
    corruptions: Mapping[str, Callable[[Arrays], Arrays]] = MappingProxyType({})

    def __init__(
        self,
        path: Path,
        seed: int = 0,
        evaluation_file: Path | None = None,
        calibration_file: Path | None = None,
    ) -> None:
        self.path = path
        self.seed = seed
        self.format = path.suffix.lower().removeprefix(".")
        self._data: dict[DataRole, Path | None] = {
            "eval": evaluation_file,
            "calibration": calibration_file,
        }

    @property
    def files(self) -> tuple[Path, ...]:
        """The model's file, its external data, and the files of data."""
        return (self.path, *self.weight_files, *self.data_files.values())

    @property
    def weight_files(self) -> tuple[Path, ...]:
        """Raises UserError where one is not beside the model."""
        return external_data_files(self.path) if self.format == "onnx" else ()

    @property
    def data_files(self) -> dict[DataRole, Path]:
        return {role: path for role, path in self._data.items() if path is not None}

    def provides(self, name: str) -> bool:
        role = _FUNCTIONS.get(name)
        return role is not None and self._data[role] is not None

    def lacks(self, name: str) -> str:
        if name == "calibration_data":
            return (
                'calibration data: give calibration = "FILE.npz" in [task], samples that are not '
                "those of the evaluation set"
            )
        return NEEDS_THE_MODEL

    @cached_property
    def inputs(self) -> tuple[ModelInput, ...]:
        """Raises UserError for a file that its runtime does not load, or reads others elsewhere."""
        _ = self.weight_files  # before a runtime follows where they lead
        return model_inputs(self.path, self.format)

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.inputs)

    @cached_property
    def evaluation(self) -> tuple[Arrays, npt.NDArray[Any]]:
        """Inputs as they were given, in the file's order, and labels."""
        path = self._data["eval"]
        if path is None:
            raise UserError(
                f"{self.path}: no evaluation set", 'give eval = "FILE.npz" in [task]: with labels'
            )
        arrays, labels = read_evaluation(path, scalars=True)
        return tuple(self._matched(path, arrays).values()), labels

    def calibration(self, count: int) -> Arrays:
        path = self._data["calibration"]
        if path is None:
            raise UserError(f"{self.path}: it needs {self.lacks('calibration_data')}")
        return first_samples(self._calibration(path), count)

    @property
    def calibration_source(self) -> str | None:
        path = self._data["calibration"]
        return path.name if path else None

    @property
    def calibration_origin(self) -> str:
        return str(self.calibration_source)

    @property
    def example_arrays(self) -> Arrays:
        return tuple(each.example for each in self.inputs)

    @property
    def any_size(self) -> bool:
        return any(each.open_axes for each in self.inputs)

    def class_names(self, count: int) -> tuple[str, ...]:
        return ()

    @property
    def has_samples(self) -> bool:
        return any(path is not None for path in self._data.values())

    def samples(self, count: int) -> Arrays:
        """Of the evaluation set, else of the calibration data, else random ones from the seed."""
        path = self._data["eval"]
        if path is not None:
            named = dict(zip(self.input_names, self.evaluation[0], strict=True))
            return first_samples(self._whole_runs(path, named), count)
        if self._data["calibration"] is not None:
            return self.calibration(count)
        return self._random(_RANDOM_RUNS)

    def _calibration(self, path: Path) -> Arrays:
        return self._whole_runs(path, self._matched(path, read_inputs(path, scalars=True)))

    def _matched(
        self, path: Path, arrays: Mapping[str, npt.NDArray[Any]]
    ) -> dict[str, npt.NDArray[Any]]:
        """By name where all names match, else by order: as the agent matches them."""
        names = self.input_names
        if all(name in arrays for name in names):
            found = {name: arrays[name] for name in names}
        elif len(arrays) == len(names):
            found = dict(zip(names, arrays.values(), strict=True))
        else:
            raise UserError(
                f"{path}: it holds {', '.join(arrays)}; {self.path.name} takes {', '.join(names)}",
                "write it with numpy.savez(FILE, NAME=array, ...), a name for each input",
            )
        for each in self.inputs:
            _check_shape(path, each, found[each.name])
        return found

    def _whole_runs(self, path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """As the file takes them. Raises UserError where they are less than one run."""
        for each in self.inputs:
            if each.shape and len(arrays[each.name]) < each.rows:
                raise UserError(
                    f"{path}: {len(arrays[each.name])} samples for input {each.name}, "
                    f"{self.path.name} takes {each.rows} at a time",
                    "give at least as many",
                )
        return tuple(_stored(path, each, arrays[each.name]) for each in self.inputs)

    def _random(self, runs: int) -> Arrays:
        for each in self.inputs:
            if each.open_axes:
                raise UserError(
                    f"{self.path}: input {each.name} has open dimensions besides the batch, so no "
                    "input can be made up for it",
                    'give eval = "FILE.npz" or calibration = "FILE.npz" in [task]',
                )
        generator = np.random.default_rng(self.seed)
        return tuple(_random_array(generator, each, runs) for each in self.inputs)


def load_file_task(
    path: Path, seed: int, evaluation_file: Path | None, calibration_file: Path | None
) -> FileTask:
    """Raises UserError for a file that its runtime does not load, and for data that do not fit."""
    task = FileTask(path, seed, evaluation_file, calibration_file)
    task.samples(1)
    return task


def _check_shape(path: Path, wanted: ModelInput, array: npt.NDArray[Any]) -> None:
    sizes = zip(array.shape[1:], wanted.shape[1:], strict=False)
    fits = array.ndim == len(wanted.shape) and all(b in (-1, a) for a, b in sizes)
    if not fits:
        shape = "x".join("?" if size < 0 else str(size) for size in wanted.shape[1:])
        raise UserError(
            f"{path}: input {wanted.name} wants samples of shape {shape or 'scalar'}, the file "
            f"holds {'x'.join(map(str, array.shape)) or 'a scalar'}",
            "samples on the first axis, each in the model's own layout",
        )


def _stored(path: Path, wanted: ModelInput, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Cast to what the input takes; real values of a quantized input stay as they are."""
    dtype = np.dtype(wanted.dtype)
    if array.dtype == dtype or wanted.quantized:
        return array
    if array.dtype.kind not in "biuf" or (dtype.kind in "iu" and array.dtype.kind == "f"):
        raise UserError(
            f"{path}: input {wanted.name} is {array.dtype}, the model takes {dtype.name}",
            f"save it as {dtype.name}",
        )
    return array.astype(dtype)


def _random_array(
    generator: np.random.Generator, wanted: ModelInput, runs: int
) -> npt.NDArray[Any]:
    """Floats uniform in [0, 1); integers 0 or 1, which are in any vocabulary."""
    dtype = np.dtype(wanted.dtype)
    shape = (runs * wanted.rows, *wanted.shape[1:]) if wanted.shape else ()
    if wanted.quantized or dtype.kind == "f":
        return np.asarray(generator.random(shape), np.float32 if wanted.quantized else dtype)
    return np.asarray(generator.integers(0, 2, shape)).astype(dtype)
