"""ONNX files with some operators quantized: through ONNX Runtime's quantizer."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.compress.passes.quantization.layers import (
    Fallback,
    LayeredFile,
    Operator,
    without_layers,
)
from trimtab.compress.passes.quantization.onnx_graph import name_nodes, prepared
from trimtab.compress.passes.quantization.onnx_static import (
    all_tensors,
    nodes_at,
    stored_ranges,
)
from trimtab.compress.passes.quantization.ranges import (
    Method,
    RangeRule,
    observed_ranges,
    unquantizable,
)
from trimtab.onnx_session import cpu_session
from trimtab.task import Arrays, NamedArrays, joined_runs, rows_of_file, single_samples

if TYPE_CHECKING:
    import onnx

_ALWAYS_LAYERS = ("MatMul", "Gemm")
_FLOAT_BYTES = 4


class LayeredOnnx(LayeredFile):
    """Works throughout on the file as ONNX Runtime's preparation leaves it, names and all."""

    def __init__(self, source: Path, scratch: Path, method: Method) -> None:
        self._rule = RangeRule(method)
        self._scratch = scratch
        readied, _ = prepared(source, scratch)
        self._prepared = name_nodes(readied, scratch)
        self._rows = rows_of_file(self._prepared, "onnx")
        self._ranges = scratch / "ranges.json"
        self._never: frozenset[str] = frozenset()
        self.operators = tuple(_operators(self._prepared))

    def calibrate(self, data: NamedArrays) -> None:
        ranges = observed_ranges(
            all_tensors(self._prepared), single_samples(data, self._rows), self._rule
        )
        self._ranges = stored_ranges(ranges, self._ranges)
        self._never = frozenset(nodes_at(self._prepared, unquantizable(ranges)))
        self.operators = without_layers(self.operators, self._never)

    def alone(self, layer: Operator) -> Path:
        return self._write({each.key for each in self.operators if each.key != layer.key}, {})

    def all_but(self, kept: Collection[Operator], fallback: Fallback) -> Path:
        if fallback == "float":
            return self._write({each.key for each in kept}, {})
        tensors = {name for each in kept for name in (*each.reads, *each.writes)}
        return self._write(set(), dict.fromkeys(tensors, "QUInt16"))

    def outputs(self, path: Path | None, inputs: NamedArrays) -> Arrays:
        session = cpu_session(path or self._prepared)
        runs = [session.run(None, dict(sample)) for sample in single_samples(inputs, self._rows)]
        return joined_runs([tuple(run) for run in runs])

    def _write(self, left_out: set[str], wider: Mapping[str, str]) -> Path:
        """``wider``: the activation type of the tensors that are not to have 8 bits."""
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

        overrides = {
            name: [{"quant_type": getattr(QuantType, kind)}] for name, kind in wider.items()
        }
        target = self._scratch / "layered.onnx"
        quantize_static(
            self._prepared,
            target,
            None,
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=sorted({*left_out, *self._never}),
            extra_options={"TensorQuantOverrides": overrides},
            calibration_cache_path=self._ranges,
        )
        return target


def _registry() -> tuple[str, ...]:
    """The operator types that ``quantize_static`` quantizes by default."""
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    return tuple(sorted({*QDQRegistry, *QLinearOpsRegistry}))


def _operators(path: Path) -> Iterator[Operator]:
    import onnx

    graph = onnx.load(path).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    constants |= {
        node.output[0]: node.attribute[0].t
        for node in graph.node
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value"
    }
    names: set[str] = set()
    for node in graph.node:
        if node.op_type == "Constant":
            continue
        weights = [
            name
            for name in node.input
            if name in constants and _is_weight(constants[name]) and node.op_type in _registry()
        ]
        name = _shown(node, weights)
        name = name if name not in names else node.name
        names.add(name)
        yield Operator(
            key=node.name,
            name=name,
            type=node.op_type,
            reads=tuple(each for each in node.input if each and each not in constants),
            writes=tuple(node.output),
            is_layer=bool(weights) or node.op_type in _ALWAYS_LAYERS,
            weight_bytes=sum(_size(constants[each]) for each in weights),
        )


def _is_weight(tensor: onnx.TensorProto) -> bool:
    import onnx

    return bool(tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 1)


def _size(tensor: onnx.TensorProto) -> int:
    return _FLOAT_BYTES * math.prod(tensor.dims)


def _shown(node: onnx.NodeProto, weights: list[str]) -> str:
    """The module's own name where the exporter kept it with the weights."""
    for name in weights:
        module, _, parameter = name.rpartition(".")
        if module and parameter == "weight":
            return module
    return str(node.name)
