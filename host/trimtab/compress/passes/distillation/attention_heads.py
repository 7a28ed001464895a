"""Attention made of three linear layers, whose heads are removed whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

_PARTS = (
    ("query", "key", "value"),
    ("q_proj", "k_proj", "v_proj"),
    ("q_lin", "k_lin", "v_lin"),
)
_HEADS = ("num_attention_heads", "num_heads", "n_heads")
_HEAD_SIZES = ("attention_head_size", "head_dim")
_WIDTHS = ("all_head_size",)


@dataclass(frozen=True)
class AttentionLayer:
    """``parts``: the layers of queries, keys and values, with as many heads each."""

    layer: nn.Module
    parts: tuple[nn.Module, nn.Module, nn.Module]
    heads: int

    def settle(self, heads: int) -> None:
        """Tells the layer what it has now."""
        for name in _HEADS:
            if hasattr(self.layer, name):
                setattr(self.layer, name, heads)
        for name in _WIDTHS:
            if hasattr(self.layer, name):
                setattr(self.layer, name, self.parts[0].out_features)


def attention_layers(model: nn.Module) -> tuple[AttentionLayer, ...]:
    from torch import nn

    found: list[AttentionLayer] = []
    for layer in model.modules():
        for names in _PARTS:
            query, key, value = (getattr(layer, name, None) for name in names)
            if not (
                isinstance(query, nn.Linear)
                and isinstance(key, nn.Linear)
                and isinstance(value, nn.Linear)
                and query.out_features == key.out_features == value.out_features
            ):
                continue
            heads = _heads_of(layer, query.out_features)
            if heads:
                found.append(AttentionLayer(layer, (query, key, value), heads))
    return tuple(found)


def _heads_of(layer: nn.Module, width: int) -> int:
    """0: it does not say."""
    for name in _HEADS:
        if isinstance(getattr(layer, name, None), int):
            return int(getattr(layer, name))
    for name in _HEAD_SIZES:
        if isinstance(getattr(layer, name, None), int):
            return width // int(getattr(layer, name))
    return 0
