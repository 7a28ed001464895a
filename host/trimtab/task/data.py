"""What the chain needs of a task, whatever it is made from: a task file, or a model file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from trimtab.task.tensors import Arrays


class TaskData(Protocol):
    """Passes on files, stages and campaigns work with this; passes on models with a Task."""

    @property
    def path(self) -> Path: ...

    @property
    def seed(self) -> int: ...

    def provides(self, name: str) -> bool:
        """Whether there is ``eval_data``, ``calibration_data``, ``train_data``, ..."""

    def lacks(self, name: str) -> str:
        """The end of "quantize needs ...": what is missing and, in a few words, where."""

    @property
    def input_names(self) -> tuple[str, ...]: ...

    @property
    def evaluation(self) -> tuple[Arrays, npt.NDArray[Any]]:
        """Inputs and targets of the whole evaluation set. Raises UserError where there is none."""

    def calibration(self, count: int) -> Arrays:
        """The first ``count`` samples, fewer if there are no more. Raises UserError."""

    @property
    def calibration_source(self) -> str | None:
        """Name of what calibration takes its samples from; None: nothing."""

    @property
    def calibration_origin(self) -> str:
        """The same as it stands in a lineage: "train_data()", "calib.npz"."""

    @property
    def example_arrays(self) -> Arrays:
        """An array for each input, of a sample's shape and dtype."""

    @property
    def any_size(self) -> bool:
        """Other axes than the batch's are open too."""

    def class_names(self, count: int) -> tuple[str, ...]:
        """Empty: the classes have no names."""

    @property
    def corruptions(self) -> Mapping[str, Callable[[Arrays], Arrays]]:
        """The task's own, by name."""

    def samples(self, count: int) -> Arrays:
        """Inputs to compare outputs on."""

    @property
    def metric(self) -> Callable[[Any, Any], float] | None:
        """None: top-1 accuracy."""
