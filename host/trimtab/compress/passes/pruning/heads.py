"""Attention heads: which rows of the projections, and which columns of what follows, are one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from trimtab.compress.passes.pruning.couplings import Coupling, Cut, Input, Slices, Unit
from trimtab.compress.passes.pruning.tracing import Touch

if TYPE_CHECKING:
    from torch import nn

_SIZES = ("num_attention_heads", "attention_head_size", "all_head_size")
_PROJECTIONS = ("query", "key", "value")


def heads_of(model: nn.Module) -> tuple[Coupling, ...]:
    """One an attention layer; those whose heads cannot be taken out say why in ``reason``."""
    return tuple(_couplings(model))


def refresh_heads(model: nn.Module) -> None:
    """The counts that attention layers keep, after their projections became smaller."""
    module: Any
    for module in model.modules():
        if _is_attention(module):
            width = module.query.out_features
            module.all_head_size = width
            module.num_attention_heads = width // module.attention_head_size


def _couplings(model: nn.Module) -> Iterator[Coupling]:
    import torch

    modules = dict(model.named_modules())
    slices = Slices(model)
    for name, module in modules.items():
        if isinstance(module, torch.nn.MultiheadAttention):
            reason = "torch.nn.MultiheadAttention is as wide as its input, with any number of heads"
            yield Coupling(name, (name,), (), reason=reason)
        elif _is_attention(module):
            output = _joined(name, "output.dense")
            projections = tuple(f"{name}.{each}" for each in _PROJECTIONS)
            if isinstance(modules.get(output), torch.nn.Linear):
                units = _units(slices, module, projections, output)
                yield Coupling(name, projections, units, rounded=False)
            else:
                reason = f"no {output} follows it, which would read its heads"
                yield Coupling(name, projections, (), reason=reason)


def _is_attention(module: Any) -> bool:
    """As transformers' BERT, ViT and their like name the parts."""
    import torch

    return all(isinstance(getattr(module, each, None), int) for each in _SIZES) and all(
        isinstance(getattr(module, each, None), torch.nn.Linear) for each in _PROJECTIONS
    )


def _joined(name: str, sibling: str) -> str:
    parent = name.rpartition(".")[0]
    return f"{parent}.{sibling}" if parent else sibling


def _units(
    slices: Slices, module: Any, projections: tuple[str, ...], output: str
) -> tuple[Unit, ...]:
    size = module.attention_head_size
    units = []
    for head in range(module.num_attention_heads):
        channels = tuple(range(head * size, (head + 1) * size))
        made = [_cuts(slices, each, "out", channels) for each in projections]
        read = _cuts(slices, output, "in", channels)
        units.append(
            Unit(
                frozenset(each for cuts in made for cut in cuts for each in cut.made),
                frozenset(each for cut in read for each in cut.read),
                frozenset(Input(output, channel) for channel in channels),
            )
        )
    return tuple(units)


def _cuts(slices: Slices, layer: str, side: Any, channels: tuple[int, ...]) -> list[Cut]:
    touch = Touch(layer, side, channels, channels)
    return [slices.cut(touch, channel) for channel in channels]
