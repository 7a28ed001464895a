"""Which node of an ONNX file came from which layer of the model, as torch's exporter tells it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.export.base import ExportRequest
from trimtab.export.onnx import export_somehow, strip_traces

_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_FUSED_BEHIND = (
    *("Relu", "Clip", "Add", "Mul", "Sigmoid", "HardSigmoid", "HardSwish", "LeakyRelu", "Tanh"),
    *("Elu", "Gelu", "BatchNormalization"),
)
# A bias, a residual addition and an activation.
_MOST_FUSED = 3
_SCOPES = "pkg.torch.onnx.name_scopes"


@dataclass(frozen=True)
class LayerNode:
    """``values``: its output, then those of what a runtime may fuse behind it, nearest first."""

    layer: str
    name: str
    operator: str
    values: tuple[str, ...]


def export_layers(request: ExportRequest, target: Path) -> tuple[LayerNode, ...]:
    """Writes ``target`` as an export does. The nodes in the file's order; a layer that runs twice
    has two. Raises whatever the converter raises.
    """
    import onnx

    export_somehow(request, target)
    graph = onnx.load(target).graph
    strip_traces(target)
    weighted = {name for name, module in request.model.named_modules() if hasattr(module, "weight")}
    behind = _consumers(graph)
    return tuple(
        LayerNode(layer, node.name, node.op_type, tuple(_values(node, behind)))
        for node in graph.node
        if node.op_type in _WEIGHTED and (layer := _layer_of(node, weighted)) is not None
    )


def _layer_of(node: Any, weighted: set[str]) -> str | None:
    """By the weight's name; one that was transposed has lost it, then by the innermost scope.

    A convolution with a folded normalization is told to be in the normalization's scope.
    """
    for name in node.input:
        owner, _, what = str(name).rpartition(".")
        if what == "weight" and owner in weighted:
            return owner
    said = next((each.value for each in node.metadata_props if each.key == _SCOPES), "[]")
    scopes: list[str] = ast.literal_eval(said)
    return next((scope for scope in reversed(scopes) if scope in weighted), None)


def _consumers(graph: Any) -> Mapping[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            found.setdefault(name, []).append(node)
    return found


def _values(node: Any, behind: Mapping[str, list[Any]]) -> Iterator[str]:
    nearest = [node.output[0]]
    for _ in range(_MOST_FUSED + 1):
        yield from nearest
        nearest = [
            each.output[0]
            for value in nearest
            for each in behind.get(value, ())
            if each.op_type in _FUSED_BEHIND
        ]
