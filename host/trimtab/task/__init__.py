"""The user's task: what is to be compressed, on which data, judged by which metric."""

from trimtab.task.evaluation import evaluation_set
from trimtab.task.fitting import misfit
from trimtab.task.load import load_task
from trimtab.task.task import Task, seed_everything
from trimtab.task.tensors import (
    Arrays,
    NamedArrays,
    as_arrays,
    as_tensors,
    batch_length,
    single_samples,
)

__all__ = [
    "Arrays",
    "NamedArrays",
    "Task",
    "as_arrays",
    "as_tensors",
    "batch_length",
    "evaluation_set",
    "load_task",
    "misfit",
    "seed_everything",
    "single_samples",
]
