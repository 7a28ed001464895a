"""Who learns: the model as it is, a narrower one, or the user's own."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trimtab.compress.cache import arrays_digest
from trimtab.compress.passes.base import ModelContext, PassRejected
from trimtab.compress.passes.distillation.fresh_weights import initialise
from trimtab.compress.passes.distillation.narrowing import narrowed, parameter_count
from trimtab.compress.passes.distillation.settings import DEFAULT_WIDTH, DistillConfig
from trimtab.task import Task, as_arrays, as_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class StudentModel:
    model: nn.Module
    description: str


def student_of(model: nn.Module, config: DistillConfig, context: ModelContext) -> StudentModel:
    """In eval mode. ``model``: a copy, as the earlier passes left it. Raises PassRejected."""
    task = context.task
    if config.student == "self":
        return StudentModel(model, _itself(model, task.model))
    if config.student == "own":
        return _own(task)
    return _narrow(model, config, task)


def own_student_digest(task: Task) -> str:
    """Of its layers, its weights, and what it makes of the example inputs."""
    import torch

    student = task.student.eval()
    state = [each.detach().cpu().numpy() for each in student.state_dict().values()]
    with torch.no_grad():
        outputs = as_arrays(_run_own(student, task))
    text = np.frombuffer(repr(student).encode(), np.uint8)
    return arrays_digest((text, *state, *outputs))


def output_shapes(outputs: tuple[Tensor, ...]) -> str:
    return " and ".join(str(tuple(each.shape)) for each in outputs)


def _itself(model: nn.Module, teacher: nn.Module) -> str:
    if _same_weights(model, teacher):
        return "the model itself, which no pass changed before: there is nothing it does not know"
    return "the model as the passes before left it"


def _same_weights(ours: nn.Module, theirs: nn.Module) -> bool:
    mine, its = ours.state_dict(), theirs.state_dict()
    return mine.keys() == its.keys() and all(
        value.shape == its[name].shape and bool((value == its[name]).all())
        for name, value in mine.items()
    )


def _narrow(model: nn.Module, config: DistillConfig, task: Task) -> StudentModel:
    width = config.width or DEFAULT_WIDTH
    importance = config.importance or "l2"
    made = narrowed(model, task.example_inputs, width, importance)
    parts = [f"the float model at {width:g} of its width", _sizes(made.model, task.model)]
    if made.whole:
        parts.append(f"full width kept where the model needs it: {', '.join(made.whole)}")
    if config.start == "fresh":
        kept = initialise(made.model, task.seed)
        parts.append("new weights" + (f" but those of {', '.join(kept)}" if kept else ""))
    else:
        chosen = "the largest by L2 norm" if importance == "l2" else "random ones"
        parts.append(f"weights kept, channels {chosen}")
    return StudentModel(made.model.eval(), ", ".join(parts))


def _own(task: Task) -> StudentModel:
    import torch

    student = copy.deepcopy(task.student).eval()
    if not any(each.requires_grad for each in student.parameters()):
        raise PassRejected(
            "student() gives a model without weights that can be trained; set requires_grad"
        )
    with torch.no_grad():
        ours, theirs = as_tensors(_run_own(student, task)), as_tensors(_answers_of_float(task))
    if [each.shape for each in ours] != [each.shape for each in theirs]:
        raise PassRejected(
            f"student() gives outputs {output_shapes(ours)} and the model {output_shapes(theirs)}; "
            "let it give the same"
        )
    return StudentModel(student, f"student() of {task.path.name}, {_sizes(student, task.model)}")


def _run_own(student: nn.Module, task: Task) -> object:
    try:
        return student(*task.example_inputs)
    except Exception as error:  # the user's own code raises what it likes
        reason = " ".join(str(error).split())
        raise PassRejected(
            f"student() does not take the example inputs: {type(error).__name__}: {reason}; "
            "let its forward() take what the model's takes"
        ) from error


def _answers_of_float(task: Task) -> object:
    return task.model(*task.example_inputs)


def _sizes(student: nn.Module, teacher: nn.Module) -> str:
    return f"{parameter_count(student):,} of {parameter_count(teacher):,} parameters"
