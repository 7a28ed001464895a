"""A recipe, taken apart into its two stages, and the work of each."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab_protos.digest import digest_file

from trimtab.compress.cache import Cache, content_key
from trimtab.compress.passes import (
    ArtifactPass,
    ModelContext,
    ModelFile,
    ModelPass,
    Pass,
    PassConfig,
    PassContext,
    PassRejected,
    load_pass,
)
from trimtab.project import PassStep
from trimtab.task import seed_everything

if TYPE_CHECKING:
    from torch import nn

Describe = Callable[[Path], str]


@dataclass(frozen=True)
class ModelStep:
    step: PassStep
    work: ModelPass[Any]
    config: PassConfig


@dataclass(frozen=True)
class ArtifactStep:
    step: PassStep
    work: ArtifactPass[Any]
    config: PassConfig


@dataclass(frozen=True)
class Recipe:
    on_model: tuple[ModelStep, ...]
    on_artifact: tuple[ArtifactStep, ...]


def recipe_of(steps: Sequence[PassStep], model_format: str) -> Recipe:
    """Raises PassRejected for a pass that is unknown, unavailable or in the wrong place."""
    on_model: list[ModelStep] = []
    on_artifact: list[ArtifactStep] = []
    earlier: list[type[Pass[Any]]] = []
    for step in steps:
        work = load_pass(step.use)
        wrong_order = work.order_problem(earlier)
        if wrong_order:
            raise PassRejected(wrong_order)
        config = work.config.model_validate(dict(step.settings))
        misplaced = work.settings_problem(config.model_dump(), earlier)
        if misplaced:
            raise PassRejected(misplaced)
        earlier.append(type(work))
        if isinstance(work, ArtifactPass):
            work = work.for_format(model_format)
        if isinstance(work, ArtifactPass):
            on_artifact.append(ArtifactStep(step, work, config))
        elif on_artifact:
            raise PassRejected(f"pass {step.use} works on the model: put it first")
        else:
            on_model.append(ModelStep(step, work, config))
    return Recipe(tuple(on_model), tuple(on_artifact))


def apply_to_model(
    steps: Sequence[ModelStep], model: nn.Module, context: ModelContext
) -> tuple[nn.Module, tuple[str, ...]]:
    """A compressed copy of the model and the lineage. Raises PassRejected."""
    lineage: list[str] = []
    for each in steps:
        model, sentence = apply_step(each, model, context)
        lineage.append(sentence)
    return model, tuple(lineage)


def apply_step(each: ModelStep, model: nn.Module, context: ModelContext) -> tuple[nn.Module, str]:
    """A compressed copy, in eval mode, and a sentence. Raises PassRejected."""
    from trimtab.compress.quantized_model import QuantizedModel

    check_data(each, context)
    if isinstance(model, QuantizedModel):
        raise PassRejected(f"{each.step.use} cannot change a model that is quantized already")
    reason = each.work.rejects(model, each.config)
    if reason:
        raise PassRejected(reason)
    seed_everything(context.task.seed)
    made, sentence = each.work.apply(copy.deepcopy(model), each.config, context)
    return made.eval(), sentence


def apply_to_artifact(
    steps: Sequence[ArtifactStep],
    source: ModelFile,
    context: PassContext,
    cache: Cache,
    describe: Describe,
) -> tuple[ModelFile, tuple[str, ...]]:
    """The compressed file, in the context's scratch folder. Raises PassRejected.

    ``describe`` checks each file that is made and says how it compares with the model.
    """
    lineage: tuple[str, ...] = ()
    for index, each in enumerate(steps):
        check_data(each, context)
        reason = each.work.rejects(source.format, each.config)
        if reason:
            raise PassRejected(reason)
        target = context.scratch / f"step-{index}.{source.format}"
        key = _key(each, source, context)
        done = cache.fetch(key, target)
        if done is None:
            done = (_work(each, source, target, context), describe(target))
            cache.keep(key, target, done)
        lineage += done
        source = ModelFile(target, source.format)
    return source, lineage


def check_data(each: ModelStep | ArtifactStep, context: PassContext) -> None:
    """Raises PassRejected where the task lacks data that the pass needs."""
    task = context.task
    for need in sorted(each.work.requires(each.config)):
        # Without its own, calibration takes the training data.
        provided = task.calibration_source if need == "calibration_data" else task.provides(need)
        if not provided:
            raise PassRejected(f"{each.step.use} needs {task.lacks(need)}")


def _work(each: ArtifactStep, source: ModelFile, target: Path, context: PassContext) -> str:
    seed_everything(context.task.seed)
    return each.work.apply(source, target, each.config, context)


def _key(each: ArtifactStep, source: ModelFile, context: PassContext) -> str:
    return content_key(
        {
            "source": [digest_file(path).sha256 for path in source.files],
            "format": source.format,
            "step": each.step.as_data(),
            "data": each.work.data_key(each.config, context),
            "seed": context.task.seed,
        }
    )
