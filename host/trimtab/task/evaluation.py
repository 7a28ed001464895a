"""A task's evaluation set as it travels to the devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trimtab.evaluation_file import write_evaluation
from trimtab.records import CorruptedCopies, EvaluationSet, UserError
from trimtab.task.corruptions import BUILT_IN, ImageCorruptions, NotImages
from trimtab.task.data import TaskData
from trimtab.task.tensors import Arrays


@dataclass(frozen=True)
class CorruptionPlan:
    """Copies of ``samples`` of the evaluation set, once a corruption; no names: none are made."""

    names: tuple[str, ...] = ()
    samples: int = 500
    severity: int = 3


def evaluation_set(
    task: TaskData, folder: Path, plan: CorruptionPlan | None = None
) -> EvaluationSet | None:
    """None where the task has no eval_data. Inputs have the names that the artifacts have.

    Raises UserError where a corruption is unknown, fails, or does not suit the inputs.
    """
    if not task.provides("eval_data"):
        if plan is not None and plan.names:
            raise UserError(
                f"{task.path}: [robustness] asks for corruptions, and there is nothing to corrupt",
                "add eval_data() to the task file, or leave [robustness] out",
            )
        return None
    inputs, targets = task.evaluation
    folder.mkdir(parents=True, exist_ok=True)
    copies = None
    if plan is not None and plan.names:
        copies, inputs = _with_copies(task, inputs, plan)
    named = dict(zip(task.input_names, inputs, strict=True))
    written = write_evaluation(named, targets, folder)
    names = task.class_names(int(targets.max()) + 1) if _are_classes(targets) else ()
    return replace(written, sample_count=len(targets), class_names=names, corrupted=copies)


def check_corruptions(task: TaskData, names: Sequence[str]) -> None:
    """Raises UserError for a name that is neither built in nor the task's own."""
    own = task.corruptions if names else {}
    allowed = (*own, *(name for name in BUILT_IN if name not in own))
    for name in names:
        if name not in allowed:
            raise UserError(
                f"[robustness] corruptions: there is no corruption {name}; "
                f"allowed: {', '.join(allowed)}",
                f"or give it by corruptions() in {task.path}: {{name: function(inputs) -> inputs}}",
            )


def _are_classes(targets: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bool:
    return targets.ndim == 1 and np.issubdtype(targets.dtype, np.integer) and targets.size > 0


def _with_copies(
    task: TaskData, inputs: Arrays, plan: CorruptionPlan
) -> tuple[CorruptedCopies, Arrays]:
    """The clean inputs followed by the copies; which samples is drawn, for data may be sorted."""
    check_corruptions(task, plan.names)
    count = len(inputs[0])
    drawn = np.random.default_rng(task.seed).permutation(count)[: plan.samples]
    samples = np.sort(drawn).astype(np.int64)
    originals = tuple(array[samples] for array in inputs)
    parts = [inputs, *(_corrupted(task, name, originals, plan) for name in plan.names)]
    joined = tuple(np.concatenate(each) for each in zip(*parts, strict=True))
    return CorruptedCopies(plan.names, samples, plan.severity), joined


def _corrupted(task: TaskData, name: str, inputs: Arrays, plan: CorruptionPlan) -> Arrays:
    """The task's own goes before a built-in of the same name."""
    if name in task.corruptions:
        return task.corruptions[name](inputs)
    try:
        if len(inputs) != 1:
            raise NotImages(f"the model has {len(inputs)} inputs")
        return (ImageCorruptions(inputs[0], plan.severity, task.seed).apply(name),)
    except NotImages as error:
        raise UserError(
            f"[robustness] corruptions: {name} is for images, this is no image task: {error}",
            f"give corruptions() in {task.path}: {{name: function(inputs) -> inputs}}",
        ) from error


def open_inputs(task: TaskData, folder: Path) -> EvaluationSet | None:
    """A real sample, for models whose shapes are open: random inputs would have no length.

    None where the task leaves no dimension open but the batch's.
    """
    if not task.any_size:
        return None
    inputs = dict(zip(task.input_names, task.samples(1), strict=True))
    folder.mkdir(parents=True, exist_ok=True)
    return write_evaluation(inputs, np.empty(0, np.int64), folder)
