"""Which layers may be replaced, and why the others may not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.factorization.decompositions import Site
from trimtab.compress.passes.factorization.factored import is_convolution, numeric_padding
from trimtab.compress.passes.factorization.observation import WEIGHTED, Observed

# Their forward reads the weights of the layers in them, and never calls these.
_READ_WEIGHTS = (nn.MultiheadAttention, nn.TransformerEncoderLayer)


def find_sites(
    model: nn.Module, seen: Mapping[str, Observed], skip: Sequence[str], embeddings: bool
) -> tuple[list[Site], dict[str, str]]:
    """And the reasons, by the names of the layers that are left. Raises PassRejected."""
    names = [name for name, each in model.named_modules() if isinstance(each, WEIGHTED)]
    skipped = matching(names, skip, "skip")
    shared = shared_layers(model)
    inside = _inside(model)
    sites: list[Site] = []
    left: dict[str, str] = {}
    for name in names:
        layer: Any = model.get_submodule(name)
        if name in skipped or (isinstance(layer, nn.Embedding) and not embeddings):
            continue
        reason = _unfit(layer) or _uses(name, seen, shared, inside)
        if reason:
            left[name] = reason
        else:
            sites.append(Site(name, layer, seen[name].inputs, seen[name].outputs))
    return sites, left


def matching(names: Collection[str], globs: Sequence[str], setting: str) -> set[str]:
    """Raises PassRejected for a glob that matches nothing."""
    found: set[str] = set()
    for pattern in globs:
        hits = {name for name in names if fnmatchcase(name, pattern)}
        if not hits:
            raise PassRejected(
                f"{setting} = {pattern!r} matches nothing; there are {some(sorted(names))}"
            )
        found |= hits
    return found


def some(names: Sequence[str], most: int = 4) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more if names else "none"


def shared_layers(model: nn.Module) -> set[str]:
    """Those with a parameter that stands in the model under another name too."""
    every = list(model.named_parameters(remove_duplicate=False))
    counts = Counter(id(each) for _, each in every)
    return {name.rpartition(".")[0] for name, each in every if counts[id(each)] > 1}


def _inside(model: nn.Module) -> set[str]:
    return {
        f"{outer}.{name}" if outer else name
        for outer, each in model.named_modules()
        if isinstance(each, _READ_WEIGHTS)
        for name, _ in each.named_modules()
    }


def _unfit(layer: Any) -> str | None:
    if layer._forward_hooks or layer._forward_pre_hooks:
        return "with hooks"
    if is_convolution(layer):
        if layer.groups > 1:
            return "grouped or depthwise"
        return None if numeric_padding(layer) else "padded differently on both sides"
    if type(layer) is nn.Embedding:
        return "with max_norm" if layer.max_norm is not None else None
    return None if type(layer) is nn.Linear else f"a {type(layer).__name__}"


def _uses(
    name: str, seen: Mapping[str, Observed], shared: set[str], inside: set[str]
) -> str | None:
    if name in shared:
        return "weights shared with another layer"
    if name in inside:
        return "read by the attention around it"
    if name not in seen:
        return "never called"
    return "called more than once" if seen[name].calls > 1 else None
