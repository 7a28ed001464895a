"""A student trained on the float model's outputs, and on its layers'."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ClassVar

from trimtab.compress.distillation import answers, taught
from trimtab.compress.passes.base import ModelContext, ModelPass, Need, Pass, PassConfig
from trimtab.compress.passes.distillation.features import Features, matched_features
from trimtab.compress.passes.distillation.settings import DistillConfig
from trimtab.compress.passes.distillation.soft_targets import soft_targets
from trimtab.compress.passes.distillation.students import own_student_digest, student_of
from trimtab.compress.training import Trained, task_loss, train
from trimtab.task import as_tensors

if TYPE_CHECKING:
    from torch import nn


class DistillPass(ModelPass[DistillConfig]):
    """The teacher is the task's float model, whatever came before.

    It has no dial: how small a student is, that its own passes or its architecture say.
    """

    name: ClassVar[str] = "distill"
    config: ClassVar[type[PassConfig]] = DistillConfig
    modules: ClassVar[tuple[str, ...]] = ("torch", "torch_pruning")
    never_after: ClassVar[frozenset[str]] = frozenset({"qat"})

    @classmethod
    def settings_problem(
        cls, settings: Mapping[str, Any], earlier: Sequence[type[Pass[Any]]]
    ) -> str | None:
        student = settings.get("student", "self")
        before = next((each.name for each in earlier if each.stage == "model"), None)
        if student == "self" or before is None:
            return None
        return (
            f'pass distill with student = "{student}" begins with another model, and what {before} '
            "did would be lost; put it first"
        )

    def requires(self, config: DistillConfig) -> frozenset[Need]:
        needs = config.data_needs()
        return needs | {"student"} if config.student == "own" else needs

    def rejects(self, model: nn.Module, config: DistillConfig) -> str | None:
        if config.student == "own" or any(each.requires_grad for each in model.parameters()):
            return None
        return "distill trains weights, and the model has none that can be trained"

    def data_key(self, config: DistillConfig, context: ModelContext) -> str:
        digest = config.data_digest(context)
        return f"{digest} {own_student_digest(context.task)}" if config.student == "own" else digest

    def apply(
        self, model: nn.Module, config: DistillConfig, context: ModelContext
    ) -> tuple[nn.Module, str]:
        student = student_of(model.eval(), config, context)
        who = f"student: {student.description}"
        if not config.epochs:
            return student.model, f"{who}; not trained, epochs = 0"
        trained, lessons = _trained(student.model, config, context)
        return student.model.eval(), f"distilled from the float model, {who}; {lessons}; {trained}"


def _trained(
    student: nn.Module, config: DistillConfig, context: ModelContext
) -> tuple[Trained, str]:
    """In place; what it learned from."""
    task = context.task
    own = task_loss(task)
    if config.weight == 0 and not config.features:
        student.train()
        return train(student, task, config.training(context), own), "the task's own loss alone"
    teacher = copy.deepcopy(task.model).eval().requires_grad_(False)
    examples = task.example_inputs
    soft = soft_targets(config, task, as_tensors(answers(teacher, examples)))
    with ExitStack() as stack:
        features: Features | None = None
        if config.features:
            features = stack.enter_context(matched_features(config, teacher, student, examples))
        extra = None if features is None else features.distance
        loss = taught(own, teacher, config.weight, soft.distance, extra)
        student.train()
        trained = train(student, task, config.training(context), loss)
    return trained, _lessons(config, soft.description, features)


def _lessons(config: DistillConfig, soft: str, features: Features | None) -> str:
    told = f"{soft} (share {config.weight:g} of the loss)" if config.weight else "no soft targets"
    if features is None:
        return told
    projected = f", {features.projected} through a projection" if features.projected else ""
    return (
        f"{told}, {config.match or 'hint'} of {len(features)} layers "
        f"({', '.join(config.features)}{projected}; weight {config.features_weight or 1:g})"
    )
