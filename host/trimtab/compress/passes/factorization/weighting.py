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
    """By the Cholesky factor of the second moments of the inputs, over all positions alike.

    A table by how often each row is looked up.
    """
    seen = _observe(sites, model, samples)
    return [replace(each, mixing=_mixing(each, seen[each.name])) for each in sites]


def _observe(sites: Sequence[Site], model: nn.Module, samples: Arrays) -> dict[str, Tensor]:
    sums: dict[str, Tensor] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(layer: Any, given: tuple[Tensor, ...]) -> None:
            found = _counts(layer, given[0]) if _is_table(layer) else _products(layer, given[0])
            sums[name] = sums[name] + found if name in sums else found

        return hook

    handles = [each.layer.register_forward_pre_hook(note(each.name)) for each in sites]
    try:
        for start in range(0, batch_length(samples), _BATCH):
            run(model, batch(samples, start, _BATCH))
    finally:
        for handle in handles:
            handle.remove()
    return sums


def _is_table(layer: object) -> bool:
    return isinstance(layer, nn.Embedding)


def _counts(layer: Any, rows: Tensor) -> Tensor:
    return torch.bincount(rows.flatten(), minlength=layer.num_embeddings).double()


def _products(layer: Any, given: Tensor) -> Tensor:
    rows = given.movedim(1 if is_convolution(layer) else -1, -1).flatten(0, -2).double()
    return rows.T @ rows


def batch(samples: Arrays, start: int, size: int) -> tuple[Tensor, ...]:
    return as_tensors(tuple(a[start : start + size] if a.ndim else a for a in samples))


def _mixing(site: Site, seen: Tensor) -> Tensor:
    if not _is_table(site.layer):
        return _root(seen)
    smoothed = seen + 1  # a row that was not looked up here may be elsewhere
    return (smoothed / smoothed.mean()).sqrt()


def _root(moments: Tensor) -> Tensor:
    """Inputs that were always 0 would make it singular."""
    scale = moments.diagonal().mean().clamp_min(torch.finfo(moments.dtype).tiny)
    damped = moments / scale + _DAMPING * torch.eye(len(moments), dtype=moments.dtype)
    root: Tensor = torch.linalg.cholesky(damped)
    return root
