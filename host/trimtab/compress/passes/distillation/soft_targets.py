"""How a student's outputs are compared with the teacher's, for any kind of task."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from trimtab.compress.distillation import Distance, binary_divergence, divergence, value_distance
from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.distillation.settings import DistillConfig, Soft
from trimtab.task import Task

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SoftTargets:
    distance: Distance
    description: str


def soft_targets(config: DistillConfig, task: Task, outputs: tuple[Tensor, ...]) -> SoftTargets:
    """``outputs``: the teacher's, of the example inputs. Raises PassRejected."""
    floating = [each for each in outputs if each.is_floating_point()]
    if not floating:
        raise PassRejected(
            "distill compares floating-point outputs, and the model gives none; let forward() "
            "give scores in place of what is made of them, or leave distill out"
        )
    class_dim = _class_dim(config, task, floating)
    kind = _kind(config.soft, task, floating, class_dim)
    if kind == "values":
        norm = config.distance or "mse"
        return SoftTargets(partial(value_distance, norm=norm), f"output values ({norm})")
    told = f"softened with temperature {config.softening:g}"
    if kind == "binary":
        distance: Distance = partial(binary_divergence, temperature=config.softening)
        return SoftTargets(distance, f"binary logits {told}")
    if not any(_has_classes(each, class_dim) for each in floating):
        shapes = " and ".join(str(tuple(each.shape)) for each in floating)
        raise PassRejected(
            'soft = "scores" compares scores of two or more classes, and the outputs are '
            f'{shapes}; set soft = "binary" or "values"'
        )
    distance = partial(divergence, temperature=config.softening, class_dim=class_dim)
    return SoftTargets(distance, f"class scores {told}")


def _kind(wanted: Soft, task: Task, outputs: list[Tensor], class_dim: int) -> Soft:
    """Cross-entropy and top-1 accuracy, which tasks have unless they say otherwise: classes."""
    if wanted != "auto":
        return wanted
    of_classes = not task.provides("loss") or not task.provides("metric")
    return (
        "scores"
        if of_classes and all(_has_classes(each, class_dim) for each in outputs)
        else "values"
    )


def _class_dim(config: DistillConfig, task: Task, outputs: list[Tensor]) -> int:
    """Of the default loss, cross-entropy: 1, also where positions follow it."""
    if config.class_dim is None:
        return -1 if task.provides("loss") or outputs[0].ndim < 2 else 1
    least = min(each.ndim for each in outputs)
    if not -least <= config.class_dim < least:
        raise PassRejected(
            f"class_dim = {config.class_dim}, and an output has {least} dimensions; "
            "give one that it has"
        )
    return config.class_dim


def _has_classes(output: Tensor, class_dim: int) -> bool:
    return output.ndim >= 2 and output.shape[class_dim] >= 2
