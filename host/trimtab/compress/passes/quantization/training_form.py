"""Batch norm and dropout of an exported graph, in their training form and out of it.

torchao's move_exported_model_to_train sets momentum 0.1, eps 1e-5 and p 0.5 in every one of them,
and so does fusing a batch norm with its convolution. Here they keep what the model has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_FUSED_EPS = 1e-5  # what torchao folds a batch norm with into its convolution


@dataclass(frozen=True)
class BatchNormConstants:
    momentum: float
    eps: float


def set_form(
    graph: torch.fx.GraphModule, training: bool, batch_norm_training: bool | None = None
) -> None:
    """``batch_norm_training``: where it differs, as frozen statistics do."""
    import torch

    normalizing = training if batch_norm_training is None else batch_norm_training
    for node in _batch_norms(graph):
        _set(node, "training", normalizing)
    for node in graph.graph.nodes:
        if node.target in (torch.ops.aten.dropout.default, torch.ops.aten.dropout_.default):
            _set(node, "train", training)
    graph.recompile()


def batch_norm_constants(graph: torch.fx.GraphModule) -> dict[str, BatchNormConstants]:
    """By the names of the running variances."""
    return {
        _variance(node): BatchNormConstants(_get(node, "momentum"), _get(node, "eps"))
        for node in _batch_norms(graph)
    }


def put_back(graph: torch.fx.GraphModule, constants: dict[str, BatchNormConstants]) -> None:
    for node in _batch_norms(graph):
        own = constants[_variance(node)]
        _set(node, "momentum", own.momentum)
        _set(node, "eps", own.eps)
    for node in _eps_additions(graph):
        node.args = (node.args[0], constants[node.args[0].target].eps)
    graph.recompile()


def move_eps_into_variances(graph: torch.fx.GraphModule) -> None:
    """Of those fused with a convolution: what is folded later takes eps for 1e-5."""
    constants = batch_norm_constants(graph)
    fused = {node.args[0].target for node in _eps_additions(graph)}
    for name in fused:
        graph.get_buffer(name).add_(constants[name].eps - _FUSED_EPS)
    put_back(
        graph,
        {
            name: BatchNormConstants(own.momentum, _FUSED_EPS if name in fused else own.eps)
            for name, own in constants.items()
        },
    )


def _batch_norms(graph: torch.fx.GraphModule) -> Iterator[Any]:
    """Those with statistics of their own: without, they are the same in both forms."""
    import torch

    for node in graph.graph.nodes:
        if node.target is torch.ops.aten.batch_norm.default and _get(node, "running_var"):
            yield node


def _eps_additions(graph: torch.fx.GraphModule) -> Iterator[Any]:
    """By which the convolution in front of a batch norm is scaled."""
    import torch

    variances = {_variance(node) for node in _batch_norms(graph)}
    for node in graph.graph.nodes:
        adds_number = node.target is torch.ops.aten.add.Tensor and isinstance(node.args[1], float)
        if adds_number and getattr(node.args[0], "target", None) in variances:
            yield node


def _variance(node: Any) -> str:
    return str(_get(node, "running_var").target)


def _get(node: Any, argument: str) -> Any:
    return node.args[_place(node, argument)]


def _set(node: Any, argument: str, value: object) -> None:
    arguments = list(node.args)
    arguments[_place(node, argument)] = value
    node.args = tuple(arguments)


def _place(node: Any, argument: str) -> int:
    return [each.name for each in node.target._schema.arguments].index(argument)
