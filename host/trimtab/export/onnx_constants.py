"""The weights in an ONNX file, float and quantized, with what stands for 0 in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Weights = tuple[npt.NDArray[Any], npt.NDArray[Any]]


class UnknownWeights(Exception):
    """The text is the reason that is shown."""


@dataclass(frozen=True)
class _Operator:
    """``weights``: numbers of inputs that hold them, with those of their zero points (None: 0).

    ``others``: scales and zero points, which are no weights.
    """

    weights: Mapping[int, int | None] = field(default_factory=dict)
    others: tuple[int, ...] = ()


_OPERATORS = {
    "DequantizeLinear": _Operator({0: 2}, (1, 2)),
    "QuantizeLinear": _Operator({}, (1, 2)),
    "DynamicQuantizeLinear": _Operator(),
    "ConvInteger": _Operator({1: 3}, (2, 3)),
    "MatMulInteger": _Operator({1: 3}, (2, 3)),
    "QLinearConv": _Operator({3: 5, 8: None}, (1, 2, 4, 5, 6, 7)),
    "QLinearMatMul": _Operator({3: 5}, (1, 2, 4, 5, 6, 7)),
    "DynamicQuantizeMatMul": _Operator({1: 3}, (2, 3)),
    "MatMulIntegerToFloat": _Operator({1: 5}, (2, 3, 4, 5)),
    "MatMulNBits": _Operator({1: 3}, (2, 3, 4)),
    "GatherBlockQuantized": _Operator({0: 3}, (2, 3)),
}
_QUANTIZED = ("QLinear", "QAttention", "QGemm", "QEmbed", "QOrdered", "QMoE", "DynamicQuantize")
_PACKED = ("MatMulNBits", "GatherBlockQuantized")


def onnx_weights(path: Path) -> Iterator[Weights]:
    """Initializers with their zero points, each once. Raises UnknownWeights."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    constants = _constants(graph)
    quantized, others = _roles(graph, set(constants))
    for name, tensor in constants.items():
        if name in others:
            continue
        values = numpy_helper.to_array(tensor)
        if name in quantized:
            yield _quantized(values, *quantized[name], constants)
        elif values.ndim and _is_float(values):
            yield values, np.zeros((), values.dtype)


def _constants(graph: Any) -> dict[str, Any]:
    constants = {each.name: each for each in graph.initializer}
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.g.node or attribute.graphs:
                raise UnknownWeights(f"the weights inside of {node.op_type} are not read")
            if node.op_type == "Constant" and attribute.name == "value":
                constants[node.output[0]] = attribute.t
    return constants


def _is_float(values: npt.NDArray[Any]) -> bool:
    return values.dtype.kind == "f" or values.dtype.name in ("bfloat16", "float8_e4m3fn")


def _roles(graph: Any, constants: set[str]) -> tuple[dict[str, tuple[Any, int | None]], set[str]]:
    """Quantized weights with the node that reads them and its zero point's place; what is none."""
    quantized: dict[str, tuple[Any, int | None]] = {}
    others: set[str] = set()
    scales = {
        name
        for node in graph.node
        if node.op_type == "DynamicQuantizeLinear"
        for name in node.output[1:]
    }
    for node in graph.node:
        known = _OPERATORS.get(node.op_type)
        if known is None:
            if node.op_type.startswith(_QUANTIZED):
                raise UnknownWeights(f"the weights of {node.op_type} are not read")
            if node.op_type == "Mul" and scales & set(node.input):
                others.update(node.input)  # the weights' scale, times the activations'
            continue
        places = dict(enumerate(node.input))
        quantized |= {
            places[place]: (node, zero_point)
            for place, zero_point in known.weights.items()
            if places.get(place) in constants
        }
        others.update(places[place] for place in known.others if place in places)
    return quantized, others


def _quantized(
    values: npt.NDArray[Any], node: Any, place: int | None, constants: Mapping[str, Any]
) -> Weights:
    from onnx import helper, numpy_helper

    settings = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    name = node.input[place] if place is not None and place < len(node.input) else ""
    if node.op_type in _PACKED and values.dtype == np.uint8:
        if name:
            raise UnknownWeights(f"the zero points of {node.op_type} are not read")
        return _unpacked(values, node.op_type, settings)
    if not name:
        return values, np.zeros((), values.dtype)
    if name not in constants:
        raise UnknownWeights(f"the zero point of {node.op_type} is none of the file's constants")
    zero_points = numpy_helper.to_array(constants[name])
    if (zero_points == zero_points.flat[0]).all():
        return values, zero_points.flat[0]
    if zero_points.ndim != 1:
        raise UnknownWeights(f"the zero points of {node.op_type} differ from block to block")
    axis = settings.get("axis", 1) if node.op_type == "DequantizeLinear" else values.ndim - 1
    axis = 0 if node.op_type in ("QLinearConv", "ConvInteger") else axis
    shape = [1] * values.ndim
    shape[axis] = len(zero_points)
    return values, zero_points.reshape(shape)


def _unpacked(values: npt.NDArray[Any], operator: str, settings: Mapping[str, Any]) -> Weights:
    """Without zero points the middle of the range stands for 0; the last block may be padded."""
    bits = settings.get("bits", 4)
    if bits not in (4, 8):
        raise UnknownWeights(f"the weights of {operator} with {bits} bits are not read")
    if bits == 4:
        values = np.stack([values & 0xF, values >> 4], axis=-1)
    if operator == "MatMulNBits":
        values = values.reshape(settings["N"], -1)[:, : settings["K"]]
    return values, np.asarray(1 << (bits - 1), np.uint8)
