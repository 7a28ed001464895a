"""The user's task: what is to be compressed, on which data, judged by which metric."""

from trimtab.task.data import TaskData
from trimtab.task.evaluation import (
    CorruptionPlan,
    check_corruptions,
    evaluation_set,
    open_inputs,
)
from trimtab.task.file_task import NEEDS_THE_MODEL, FileTask, load_file_task
from trimtab.task.fitting import misfit
from trimtab.task.load import load_task
from trimtab.task.model_inputs import rows_of_file
from trimtab.task.task import Task, seed_everything
from trimtab.task.tensors import (
    Arrays,
    NamedArrays,
    as_arrays,
    as_tensors,
    batch_length,
    joined_runs,
    single_samples,
)

__all__ = [
    "NEEDS_THE_MODEL",
    "Arrays",
    "CorruptionPlan",
    "FileTask",
    "NamedArrays",
    "Task",
    "TaskData",
    "as_arrays",
    "as_tensors",
    "batch_length",
    "check_corruptions",
    "evaluation_set",
    "joined_runs",
    "load_file_task",
    "load_task",
    "misfit",
    "open_inputs",
    "rows_of_file",
    "seed_everything",
    "single_samples",
]
