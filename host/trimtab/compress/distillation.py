"""Learning from another model's outputs (Hinton et al., 2015, arXiv:1503.02531)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.training import Loss, as_float32, follow
from trimtab.task import as_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

Distance = Callable[[Any, Any], "Tensor"]  # of the student's outputs from the teacher's
Norm = Literal["mse", "smooth_l1"]
Extra = Callable[[], "Tensor"]

DEFAULT_TEMPERATURE = 4.0


def distilled(own: Loss, teacher: nn.Module, weight: float, temperature: float) -> Loss:
    """The task's own loss, a share ``weight`` of it replaced by the distance to ``teacher``."""
    return taught(own, teacher, weight, partial(divergence, temperature=temperature))


def taught(
    own: Loss, teacher: nn.Module, weight: float, distance: Distance, extra: Extra | None = None
) -> Loss:
    """``extra`` is added after both models have run. ``teacher`` is moved to the inputs' device."""

    def loss(inputs: tuple[Tensor, ...], outputs: Any, targets: Any) -> Tensor:
        wanted = answers(teacher, inputs)
        parts: list[Tensor] = []
        if weight > 0:
            parts.append(weight * distance(outputs, wanted))
        if weight < 1:
            parts.append((1 - weight) * own(inputs, outputs, targets))
        if extra is not None:
            parts.append(extra())
        return _total(parts)

    return loss


def answers(teacher: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    import torch

    with torch.no_grad():
        return as_float32(follow(teacher, inputs)(*inputs))


def divergence(outputs: Any, wanted: Any, temperature: float, class_dim: int = -1) -> Tensor:
    """KL divergence of class scores, softened, and scaled so that gradients keep their size."""
    terms = [
        _kl(ours.movedim(class_dim, -1), theirs.movedim(class_dim, -1), temperature)
        for ours, theirs in _floating_pairs(outputs, wanted)
        if ours.ndim >= 2 and ours.shape[class_dim] >= 2
    ]
    if not terms:
        raise PassRejected(
            "distill compares scores of two or more classes, and the model gives none; "
            "leave distill out"
        )
    return _total(terms) * temperature**2


def binary_divergence(outputs: Any, wanted: Any, temperature: float) -> Tensor:
    """Each number is the logit of a question of its own; its other answer has the logit 0."""
    import torch

    terms = [
        _kl(
            torch.stack((ours, torch.zeros_like(ours)), -1),
            torch.stack((theirs, torch.zeros_like(theirs)), -1),
            temperature,
        )
        for ours, theirs in _floating_pairs(outputs, wanted)
    ]
    return _total(terms) * temperature**2


def value_distance(outputs: Any, wanted: Any, norm: Norm) -> Tensor:
    from torch.nn import functional

    measure = functional.mse_loss if norm == "mse" else functional.smooth_l1_loss
    return _total([measure(ours, theirs) for ours, theirs in _floating_pairs(outputs, wanted)])


def _kl(ours: Tensor, theirs: Tensor, temperature: float) -> Tensor:
    from torch.nn import functional

    return functional.kl_div(
        functional.log_softmax(ours / temperature, dim=-1).flatten(0, -2),
        functional.log_softmax(theirs / temperature, dim=-1).flatten(0, -2),
        reduction="batchmean",
        log_target=True,
    )


def _floating_pairs(outputs: Any, wanted: Any) -> Iterator[tuple[Tensor, Tensor]]:
    ours, theirs = as_tensors(outputs), as_tensors(wanted)
    if len(ours) != len(theirs):
        raise PassRejected(
            f"the model gives {len(ours)} outputs in training and the teacher {len(theirs)}; "
            "let forward() give the same in both modes"
        )
    return ((mine, its) for mine, its in zip(ours, theirs, strict=True) if its.is_floating_point())


def _total(terms: list[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
