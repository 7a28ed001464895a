"""A task's evaluation set as it travels to the devices."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trimtab.evaluation_file import write_evaluation
from trimtab.records import EvaluationSet
from trimtab.task.task import Task
from trimtab.task.tensors import as_arrays


def evaluation_set(task: Task, folder: Path) -> EvaluationSet | None:
    """None where the task has no eval_data. Inputs have the names that the artifacts have."""
    if not task.provides("eval_data"):
        return None
    inputs, targets = task.evaluation
    folder.mkdir(parents=True, exist_ok=True)
    return write_evaluation(dict(zip(task.input_names, inputs, strict=True)), targets, folder)


def open_inputs(task: Task, folder: Path) -> EvaluationSet | None:
    """The task's example inputs, for models whose shapes are open: random ones have no length.

    None where the task leaves no dimension open.
    """
    if task.dynamic_shapes() is None:
        return None
    inputs = dict(zip(task.input_names, as_arrays(task.example_inputs), strict=True))
    folder.mkdir(parents=True, exist_ok=True)
    return write_evaluation(inputs, np.empty(0, np.int64), folder)
