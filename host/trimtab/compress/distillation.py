"""Learning from another model's outputs (Hinton et al., 2015, arXiv:1503.02531)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.training import Loss, follow
from trimtab.task import as_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn


def distilled(own: Loss, teacher: nn.Module, weight: float, temperature: float) -> Loss:
    """The task's own loss, a share ``weight`` of it replaced by the distance to ``teacher``."""
    import torch

    def loss(inputs: tuple[Tensor, ...], outputs: Any, targets: Any) -> Tensor:
        with torch.no_grad():
            wanted = follow(teacher, inputs)(*inputs)
        distance = divergence(outputs, wanted, temperature)
        if weight == 1:
            return distance
        return weight * distance + (1 - weight) * own(inputs, outputs, targets)

    return loss


def divergence(outputs: Any, wanted: Any, temperature: float) -> Tensor:
    """KL divergence of class scores, softened, and scaled so that gradients keep their size."""
    from torch.nn import functional

    terms = [
        functional.kl_div(
            functional.log_softmax(ours / temperature, dim=-1).flatten(0, -2),
            functional.log_softmax(theirs / temperature, dim=-1).flatten(0, -2),
            reduction="batchmean",
            log_target=True,
        )
        for ours, theirs in zip(as_tensors(outputs), as_tensors(wanted), strict=True)
        if ours.is_floating_point() and ours.ndim >= 2 and ours.shape[-1] >= 2
    ]
    if not terms:
        raise PassRejected(
            "distill compares scores of two or more classes, and the model gives none; "
            "leave distill out"
        )
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total * temperature**2
