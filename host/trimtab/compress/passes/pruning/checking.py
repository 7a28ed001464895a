"""Whether units can be removed: the smaller model must compute what the old one does without them.

That is exact whatever lies between: in the old model every weight that reads them is set to zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.compress.passes.pruning.couplings import Coupling, Unit
from trimtab.compress.passes.pruning.removal import silenced, without
from trimtab.task import as_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

Inputs = tuple["Tensor", ...]
_TOLERANCE = 1e-4  # of the largest output: rounding in float32 is some 100 times less


def checked(model: nn.Module, couplings: Sequence[Coupling], inputs: Inputs) -> list[Coupling]:
    """Those that cannot be removed have no units any more, and the reason."""
    return [
        replace(each, units=(), reason=reason) if reason else each
        for each in couplings
        for reason in [_why_not(model, each, inputs)]
    ]


def _why_not(model: nn.Module, coupling: Coupling, inputs: Inputs) -> str:
    """Every other unit is tried: wrong positions show in such a pattern."""
    if coupling.reason:
        return coupling.reason
    if len(coupling.units) < 2:
        return "all of it belongs together, and nothing would be left"
    return removal_problem(model, coupling.units[::2], inputs)


def removal_problem(model: nn.Module, units: Sequence[Unit], inputs: Inputs) -> str:
    """Empty: what is left of the model does as before."""
    smaller, reference = without(model, units).eval(), silenced(model, units).eval()
    for given in (inputs, _noisy(inputs)):
        wanted = _outputs(reference, given)
        try:
            got = _outputs(smaller, given)
        except Exception as error:  # a user's forward raises anything
            reason = " ".join(str(error).split())[:120]
            return f"the model does not run with fewer: {type(error).__name__}: {reason}"
        if [each.shape for each in got] != [each.shape for each in wanted]:
            return "the model's output would be smaller"
        if not all(_alike(ours, theirs) for ours, theirs in zip(got, wanted, strict=True)):
            return "what is left would not compute the same"
    return ""


def _noisy(inputs: Inputs) -> Inputs:
    """Examples may be zeros, which show nothing."""
    import torch

    generator = torch.Generator().manual_seed(0)

    def noise(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator).to(like.device, like.dtype)

    return tuple(each + noise(each) if each.is_floating_point() else each for each in inputs)


def _outputs(model: nn.Module, inputs: Inputs) -> Inputs:
    import torch

    with torch.no_grad():
        return as_tensors(model(*inputs))


def _alike(ours: Tensor, theirs: Tensor) -> bool:
    import torch

    if not theirs.is_floating_point():
        return torch.equal(ours, theirs)
    largest = float(theirs.abs().max()) if theirs.numel() else 0.0
    difference = float((ours - theirs).abs().max()) if theirs.numel() else 0.0
    return difference <= _TOLERANCE * largest or difference == 0
