"""The user's task: what is to be compressed, on which data, judged by which metric."""

from trimtab.task.evaluation import (
    CorruptionPlan,
    check_corruptions,
    evaluation_set,
    open_inputs,
)
from trimtab.task.load import load_task
from trimtab.task.task import Task, seed_everything
from trimtab.task.tensors import Arrays, NamedArrays, as_arrays, as_tensors, single_samples

__all__ = [
    "Arrays",
    "CorruptionPlan",
    "NamedArrays",
    "Task",
    "as_arrays",
    "as_tensors",
    "check_corruptions",
    "evaluation_set",
    "load_task",
    "open_inputs",
    "seed_everything",
    "single_samples",
]
