"""Weights that an ONNX file holds more than once are written once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import GraphProto, TensorProto


def merge_equal_weights(path: Path) -> None:
    """In place. torch shares parameters, but not what it computed from them: transposed copies.

    Vectors stay apart: a bias in int8 has the scales of its own layer.
    """
    import onnx

    model = onnx.load(path)
    renamed = _repeated(model.graph)
    if not renamed:
        return
    kept = [each for each in model.graph.initializer if each.name not in renamed]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    _rename(model.graph, renamed)
    onnx.save(model, path)


def _repeated(graph: GraphProto) -> dict[str, str]:
    """Names of weights that another has the values of, and that one's name."""
    exposed = {each.name for each in (*graph.input, *graph.output)}
    first: dict[tuple[object, ...], str] = {}
    renamed: dict[str, str] = {}
    for each in graph.initializer:
        if len(each.dims) < 2 or not each.raw_data or each.name in exposed:
            continue
        name = first.setdefault(_content(each), each.name)
        if name != each.name:
            renamed[each.name] = name
    return renamed


def _content(tensor: TensorProto) -> tuple[object, ...]:
    return tensor.data_type, tuple(tensor.dims), tensor.raw_data


def _rename(graph: GraphProto, renamed: dict[str, str]) -> None:
    for node in graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = renamed.get(name, name)
        for attribute in node.attribute:
            inner = [attribute.g] if attribute.HasField("g") else attribute.graphs
            for each in inner:
                _rename(each, renamed)
