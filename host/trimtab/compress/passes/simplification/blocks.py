"""Whole residual blocks taken out, those first whose outputs are most like their inputs.

After the block influence of ShortGPT (Men et al., 2024, arXiv:2403.03853): 1 minus the mean cosine
similarity of what goes in and what comes out.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from trimtab.compress.passes.factorization.factored import Factored
from trimtab.compress.passes.factorization.observation import run
from trimtab.compress.passes.factorization.sites import shared_layers
from trimtab.compress.passes.factorization.weighting import batch
from trimtab.task.tensors import Arrays, batch_length

_BATCH = 64


@dataclass
class _Seen:
    """``call``: the arguments of the first one."""

    call: tuple[tuple[Any, ...], dict[str, Any]]
    similarities: list[Tensor] = field(default_factory=list)
    fits: bool = True
    calls: int = 0


def droppable(model: nn.Module, samples: Arrays, keep: Collection[str]) -> dict[str, float]:
    """Similarity of input and output by the names of the residual blocks that keep the shape."""
    names = [name for name in _blocks(model) if name not in keep]
    runs = -(-batch_length(samples) // _BATCH)
    seen = _observe(model, names, samples)
    return {
        name: float(torch.cat(each.similarities).mean())
        for name, each in seen.items()
        if each.fits and each.calls == runs and _is_residual(model.get_submodule(name), each)
    }


def drop(model: nn.Module, name: str) -> None:
    """Those that follow it in its list are numbered anew, as in a model built without it."""
    outer, _, key = name.rpartition(".")
    container: Any = model.get_submodule(outer)
    names = list(container._modules)
    if names == [str(index) for index in range(len(names))]:
        del container[int(key)]
    else:
        del container._modules[key]


def _blocks(model: nn.Module) -> list[str]:
    """With layers of their own, in a list that is left with one at least; no shared weights."""
    shared = shared_layers(model)
    found: list[str] = []
    for outer, container in model.named_modules():
        if type(container) not in (nn.Sequential, nn.ModuleList) or len(container._modules) < 2:
            continue
        for key, each in container.named_children():
            name = f"{outer}.{key}" if outer else key
            is_block = next(each.children(), None) is not None and not isinstance(each, Factored)
            if is_block and not any(other.startswith(f"{name}.") for other in shared):
                found.append(name)
    return found


def _observe(model: nn.Module, names: list[str], samples: Arrays) -> Mapping[str, _Seen]:
    seen: dict[str, _Seen] = {}

    def hook(name: str) -> Any:
        def note(block: nn.Module, given: Any, named: dict[str, Any], result: Any) -> None:
            record = seen.setdefault(name, _Seen((given, named)))
            record.calls += 1
            came, went = _main(given, named), _first(result)
            if came is None or went is None or came.shape != went.shape or came.ndim < 2:
                record.fits = False
                return
            channels = 1 if came.ndim == 4 else -1
            alike = nn.functional.cosine_similarity(came, went, dim=channels)
            record.similarities.append(alike.flatten(1).mean(1) if alike.ndim > 1 else alike)

        return note

    handles = [
        model.get_submodule(name).register_forward_hook(hook(name), with_kwargs=True)
        for name in names
    ]
    try:
        for start in range(0, batch_length(samples), _BATCH):
            run(model, batch(samples, start, _BATCH))
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _main(given: tuple[Any, ...], named: Mapping[str, Any]) -> Tensor | None:
    return _first(given or tuple(named.values()))


def _first(value: Any) -> Tensor | None:
    """The tensor of floats that it is or begins with."""
    if isinstance(value, tuple | list):
        value = value[0] if value else None
    return value if isinstance(value, Tensor) and value.is_floating_point() else None


def _is_residual(block: nn.Module, seen: _Seen) -> bool:
    """Without its matrices, what comes out still depends on what went in only if it is added."""
    bare = copy.deepcopy(block).eval()
    given, named = seen.call
    came = _main(given, named)
    if came is None:
        return False
    with torch.no_grad():
        for each in bare.parameters():
            if each.ndim > 1:
                each.zero_()
        other = came + torch.rand(came.shape, generator=torch.Generator().manual_seed(0))
        of_came, of_other = (_first(_call(bare, given, named, main)) for main in (came, other))
    return of_came is not None and of_other is not None and not torch.equal(of_came, of_other)


def _call(block: nn.Module, given: tuple[Any, ...], named: dict[str, Any], main: Tensor) -> Any:
    if given:
        return block(main, *given[1:], **named)
    first = next(iter(named))
    return block(**{**named, first: main})
