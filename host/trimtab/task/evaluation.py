"""A task's evaluation set as it travels to the devices."""

from __future__ import annotations

from pathlib import Path

from trimtab.evaluation_file import write_evaluation
from trimtab.records import EvaluationSet
from trimtab.task.data import TaskData


def evaluation_set(task: TaskData, folder: Path) -> EvaluationSet | None:
    """None where the task has no eval_data. Inputs have the names that the artifacts have."""
    if not task.provides("eval_data"):
        return None
    inputs, targets = task.evaluation
    folder.mkdir(parents=True, exist_ok=True)
    return write_evaluation(dict(zip(task.input_names, inputs, strict=True)), targets, folder)
