"""Weight-only quantization of ONNX files: the arithmetic stays float, the file gets smaller.

Eight bits are in standard operators: DequantizeLinear before the operator, or for an embedding
after it has picked its rows. Four bits of MatMul and Gather are in ONNX Runtime's own block-wise
operators, those of convolutions in DequantizeLinear, whose 4-bit type needs opset 21.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.quantization.onnx_blocks import BLOCK, in_blocks
from trimtab.compress.passes.quantization.onnx_graph import (
    check_quantized,
    counted,
    drop_unused,
    prepared,
    replace_nodes,
)

if TYPE_CHECKING:
    import onnx

Array = npt.NDArray[Any]
_INT4_OPSET = 21
# MatMulNBits: 0 computes in float, 4 quantizes the activations to int8 while it runs.
_FLOAT_COMPUTE, _INT8_COMPUTE = 0, 4
_NO_WEIGHTS = "the model has no operator with constant weights that this scheme knows"


def weight_int8(source: Path, target: Path, scratch: Path, per_channel: bool = True) -> str:
    readied, note = prepared(source, scratch)
    graph = _WeightGraph(readied, 8, per_channel)
    for node in graph.nodes():
        if node.op_type == "Gather":
            graph.quantize_rows(node)
        else:
            graph.dequantize_before(node)
    graph.save(target)
    axis = "channel" if per_channel else "tensor"
    return f"int8 weights per {axis} of {graph.told()}; the arithmetic stays float{note}"


def weight_int4(source: Path, target: Path, scratch: Path) -> str:
    readied, note = prepared(source, scratch)
    blocks, told = in_blocks(readied, scratch, _FLOAT_COMPUTE, ("MatMul", "Gather"))
    graph = _WeightGraph(blocks, 4, per_channel=True)
    for node in graph.nodes():
        if node.op_type in ("Conv", "ConvTranspose"):
            graph.dequantize_before(node)
    graph.save(target)
    parts = [f"in blocks of {BLOCK} of {told}"] if told else []
    parts += [f"per channel of {graph.told()}"] if graph.count else []
    return f"int4 weights {' and '.join(parts)}; the arithmetic stays float{note}"


def dynamic_int4(source: Path, target: Path, scratch: Path) -> str:
    readied, note = prepared(source, scratch)
    blocks, told = in_blocks(readied, scratch, _INT8_COMPUTE, ("MatMul",))
    if not told:
        raise PassRejected(f"nothing was quantized: {_NO_WEIGHTS}")
    blocks.replace(target)
    return (
        f"quantized dynamically: int4 weights in blocks of {BLOCK} of {told}, activations to int8 "
        f"where the device's ONNX Runtime has that kernel; the rest stays float{note}"
    )


class _WeightGraph:
    """A graph whose weights are replaced one operator after the other."""

    _AXES: dict[str, Callable[[dict[str, Any]], int]] = {  # noqa: RUF012
        "Conv": lambda settings: 0,
        "ConvTranspose": lambda settings: 1,
        "Gemm": lambda settings: 0 if settings.get("transB", 0) else 1,
        "MatMul": lambda settings: -1,
    }

    def __init__(self, source: Path, bits: int, per_channel: bool) -> None:
        import onnx

        self._model = onnx.load(source)
        self._bits = bits
        self._per_channel = per_channel
        self._constants = {each.name: each for each in self._model.graph.initializer}
        self._before: dict[str, list[Any]] = {}
        self._after: dict[str, list[Any]] = {}
        self._shared: dict[tuple[str, int], str] = {}
        self.count: Counter[str] = Counter()

    def nodes(self) -> list[Any]:
        return list(self._model.graph.node)

    def told(self) -> str:
        return counted(self.count)

    def dequantize_before(self, node: Any) -> None:
        from onnx import helper

        weights = self._weights(node, 1)
        if node.op_type not in self._AXES or weights is None:
            return
        settings = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        # A grouped transposed convolution has its output channels spread over two axes.
        spread = node.op_type == "ConvTranspose" and settings.get("group", 1) != 1
        axis = self._AXES[node.op_type](settings) % weights.ndim
        per_axis = self._per_channel and not spread
        key = (node.input[1], axis if per_axis else -1)
        if key not in self._shared:
            self._shared[key] = self._dequantized(node, weights, axis if per_axis else None)
        node.input[1] = self._shared[key]
        self.count[node.op_type] += 1

    def quantize_rows(self, node: Any) -> None:
        """An embedding, a scale a row: the rows are picked as int8, only they are dequantized."""
        from onnx import TensorProto, helper

        table = self._weights(node, 0)
        settings = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        if table is None or table.ndim != 2 or settings.get("axis", 0) != 0:
            return
        name, output = node.input[0], node.output[0]
        stored, scales = _symmetric(table, 0 if self._per_channel else None, self._bits)
        scale_of_row = scales.reshape(-1, 1) if self._per_channel else scales
        self._add(f"{name}_quantized", stored, TensorProto.INT8)
        self._add(f"{name}_scale", scale_of_row.astype(np.float32), TensorProto.FLOAT)
        node.input[0], node.output[0] = f"{name}_quantized", f"{output}_quantized"
        scale, after = f"{name}_scale", []
        if self._per_channel:
            scale = f"{output}_scale"
            after = [helper.make_node("Gather", [f"{name}_scale", node.input[1]], [scale])]
        cast, product = [f"{output}_cast"], [f"{output}_cast", scale]
        after.append(helper.make_node("Cast", [node.output[0]], cast, to=TensorProto.FLOAT))
        after.append(helper.make_node("Mul", product, [output]))
        self._after[node.output[0]] = after
        self.count["Gather"] += 1

    def save(self, target: Path) -> None:
        import onnx

        ordered = []
        for node in self._model.graph.node:
            key = node.output[0] if node.output else ""
            ordered += [*self._before.get(key, ()), node, *self._after.get(key, ())]
        replace_nodes(self._model, ordered)
        drop_unused(self._model)
        if self._bits == 4 and self.count:
            _raise_opset(self._model)
        onnx.save(self._model, target)
        check_quantized(target, _NO_WEIGHTS)

    def _weights(self, node: Any, position: int) -> Array | None:
        from onnx import TensorProto, numpy_helper

        if node.op_type not in (*self._AXES, "Gather") or len(node.input) <= position:
            return None
        constant = self._constants.get(node.input[position])
        if constant is None or constant.data_type != TensorProto.FLOAT or len(constant.dims) < 2:
            return None
        return np.asarray(numpy_helper.to_array(constant))

    def _dequantized(self, node: Any, weights: Array, axis: int | None) -> str:
        from onnx import TensorProto, helper

        name = f"{node.input[1]}_{'tensor' if axis is None else axis}"
        stored, scales = _symmetric(weights, axis, self._bits)
        kind = TensorProto.INT8 if self._bits == 8 else TensorProto.INT4
        self._add(f"{name}_quantized", stored, kind)
        self._add(f"{name}_scale", scales.astype(np.float32), TensorProto.FLOAT)
        inputs, output = [f"{name}_quantized", f"{name}_scale"], f"{name}_dequantized"
        settings: dict[str, Any] = {} if axis is None else {"axis": axis}
        made = helper.make_node("DequantizeLinear", inputs, [output], output, **settings)
        self._before.setdefault(node.output[0], []).append(made)
        return output

    def _add(self, name: str, values: Array, kind: int) -> None:
        from onnx import TensorProto, helper

        if name in {each.name for each in self._model.graph.initializer}:
            return
        packed = _nibbles(values) if kind == TensorProto.INT4 else values
        made = helper.make_tensor(name, kind, values.shape, packed.tobytes(), raw=True)
        self._model.graph.initializer.append(made)


def _symmetric(weights: Array, axis: int | None, bits: int) -> tuple[Array, Array]:
    """Whole numbers and their scales; a channel of zeros has the scale one."""
    others = tuple(each for each in range(weights.ndim) if each != axis)
    largest = np.abs(weights).max(axis=None if axis is None else others, keepdims=True)
    limit = 2 ** (bits - 1) - 1
    scales = np.where(largest > 0, largest / limit, 1).astype(np.float32)
    stored = np.clip(np.round(weights / scales), -limit, limit).astype(np.int8)
    return stored, scales.reshape(-1) if axis is not None else scales.reshape(())


def _nibbles(values: Array) -> Array:
    """Two to a byte, the first in the lower half."""
    flat = values.flatten().astype(np.uint8) & 0xF
    even = np.append(flat, np.zeros(len(flat) % 2, np.uint8))
    return np.asarray(even[::2] | (even[1::2] << 4), np.uint8)


def _raise_opset(model: onnx.ModelProto) -> None:
    """The 4-bit type came with opset 21."""

    default = next(each for each in model.opset_import if not each.domain)
    if default.version < _INT4_OPSET:
        default.version = _INT4_OPSET
    model.ir_version = max(model.ir_version, 10)
