"""How much each input of a layer matters, from what flows into it (as in Hsu et al., 2022, and
SVD-LLM, 2024, arXiv:2403.07378): errors count by the outputs they cause, not by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from trimtab.compress.passes.factorization.decompositions import Site
from trimtab.compress.passes.factorization.factored import is_convolution
from trimtab.compress.passes.factorization.observation import run
from trimtab.task.tensors import Arrays, as_tensors, batch_length

_BATCH = 64
_DAMPING = 1e-4


def weighted(sites: Sequence[Site], model: nn.Module, samples: Arrays) -> list[Site]:
    """By the Cholesky factor of the second moments of the inputs, over all positions alike."""
    counted = [each for each in sites if not isinstance(each.layer, nn.Embedding)]
    moments = _second_moments(counted, model, samples)
    return [
        replace(each, mixing=_root(moments[each.name])) if each.name in moments else each
        for each in sites
    ]


def _second_moments(sites: Sequence[Site], model: nn.Module, samples: Arrays) -> dict[str, Tensor]:
    sums: dict[str, Tensor] = {}

    def note(name: str, channels: int) -> Callable[..., None]:
        def hook(layer: Any, given: tuple[Tensor, ...]) -> None:
            rows = given[0].movedim(channels, -1).flatten(0, -2).double()
            sums[name] = sums.get(name, torch.zeros((), dtype=rows.dtype)) + rows.T @ rows

        return hook

    handles = [
        each.layer.register_forward_pre_hook(
            note(each.name, 1 if is_convolution(each.layer) else -1)
        )
        for each in sites
    ]
    try:
        for start in range(0, batch_length(samples), _BATCH):
            run(model, batch(samples, start, _BATCH))
    finally:
        for handle in handles:
            handle.remove()
    return sums


def batch(samples: Arrays, start: int, size: int) -> tuple[Tensor, ...]:
    return as_tensors(tuple(a[start : start + size] if a.ndim else a for a in samples))


def _root(moments: Tensor) -> Tensor:
    """Inputs that were always 0 would make it singular."""
    scale = moments.diagonal().mean().clamp_min(torch.finfo(moments.dtype).tiny)
    damped = moments / scale + _DAMPING * torch.eye(len(moments), dtype=moments.dtype)
    root: Tensor = torch.linalg.cholesky(damped)
    return root
