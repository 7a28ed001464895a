"""Which channels of which layers belong together, from torch-pruning's dependency graph.

Fang et al., 2023, arXiv:2301.12900. The graph says what it knows; ``checking`` tries it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.pruning.padding import is_padding, traceable_padding
from trimtab.compress.quiet import quiet
from trimtab.task import as_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

Side = Literal["in", "out"]


@dataclass(frozen=True)
class Touch:
    """Position ``positions[k]`` of a layer's side goes with the root's channel ``channels[k]``.

    ``axis``: of a parameter that is in no layer known; None for layers.
    """

    name: str
    side: Side
    positions: tuple[int, ...]
    channels: tuple[int, ...]
    axis: int | None = None


@dataclass(frozen=True)
class Group:
    """What goes with each output channel of ``root``. ``fixed``: channels that stay, and why."""

    root: str
    channels: int
    touches: tuple[Touch, ...]
    fixed: dict[int, str] = field(default_factory=dict)


def groups_of(model: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Group, ...]:
    """In the order of the layers. The model stays as it is. Raises PassRejected."""
    traced = copy.deepcopy(model).eval()
    for parameter in traced.parameters():
        if parameter.is_floating_point():
            parameter.requires_grad_(True)  # the graph is read off autograd's
    with quiet():
        try:
            graph = _graph(traced, inputs)
            found = list(graph.get_all_groups())
        except Exception as error:  # the library and the user's forward raise anything
            reason = " ".join(str(error).split())[:200]
            raise PassRejected(
                f"prune cannot follow the model's layers: {type(error).__name__}: {reason}"
            ) from error
    names = {module: name for name, module in traced.named_modules()}
    order = {name: index for index, name in enumerate(names.values())}
    groups = (_group(each, graph, names) for each in found)
    kept = (each for each in groups if not is_padding(each.root))
    return tuple(sorted(kept, key=lambda each: order[each.root]))


def _graph(model: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    import torch
    from torch_pruning.dependency import DependencyGraph

    def forward(model: nn.Module, inputs: Sequence[Tensor]) -> list[Tensor]:
        outputs = as_tensors(model(*inputs))
        return [each for each in outputs if each.grad_fn is not None]

    with torch.enable_grad(), traceable_padding(model, lambda: model(*inputs)):
        return DependencyGraph().build_dependency(model, inputs, forward_fn=forward, verbose=False)


def _group(found: Any, graph: Any, names: dict[Any, str]) -> Group:
    root = found[0].dep.target.module
    touches: list[Touch] = []
    fixed: dict[int, str] = {}
    for item in found:
        reason = _why_fixed(item, names)
        if reason:
            fixed.update(dict.fromkeys(item.root_idxs, reason))
        else:
            touches.extend(_touch(item, graph, names))
    return Group(names[root], graph.get_out_channels(root), tuple(touches), fixed)


def _touch(item: Any, graph: Any, names: dict[Any, str]) -> Iterator[Touch]:
    import torch

    module = item.dep.target.module
    side: Side = "out" if graph.is_out_channel_pruning_fn(item.dep.handler) else "in"
    name, axis = names.get(module), None
    if isinstance(module, torch.nn.Parameter):
        name, axis = graph._param_to_name[module], item.dep.target.pruning_dim
    if name is not None and not is_padding(name):
        yield Touch(name, side, tuple(item.idxs), tuple(item.root_idxs), axis)


def _why_fixed(item: Any, names: dict[Any, str]) -> str:
    """Empty: the channels may go, as far as this layer knows."""
    import torch
    from torch_pruning import ops

    module = item.dep.target.module
    name = names.get(module, "")
    if isinstance(module, ops._OutputOp):
        return "its channels are the model's output"
    if is_padding(name) and "out" in item.dep.handler.__name__:
        return "its channels are padded with zeros by the model"
    if isinstance(module, torch.nn.LayerNorm | torch.nn.GroupNorm):
        return f"{name} normalizes over its channels"
    if isinstance(module, torch.nn.MultiheadAttention | torch.nn.RNNBase):
        return f"{name} is a {type(module).__name__}, whose width is not changed"
    return ""
