"""ONNX files with some operators quantized: one calibration, then ONNX Runtime's quantizer."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.compress.passes.quantization.layers import Fallback, LayeredFile, Operator
from trimtab.task import Arrays, NamedArrays, single_samples

if TYPE_CHECKING:
    import onnx

_ALWAYS_LAYERS = ("MatMul", "Gemm")
_METHODS = {"minmax": "MinMax", "percentile": "Percentile"}
_FLOAT_BYTES = 4


class LayeredOnnx(LayeredFile):
    """Works throughout on the file as ONNX Runtime's preparation leaves it, names and all."""

    def __init__(self, source: Path, scratch: Path, method: str) -> None:
        self._method = method
        self._scratch = scratch
        self._prepared = _prepared(source, scratch)
        self._ranges: Any = None
        self.operators = tuple(_operators(self._prepared))

    def calibrate(self, data: NamedArrays) -> None:
        from onnxruntime.quantization import CalibrationMethod
        from onnxruntime.quantization.calibrate import create_calibrator

        calibrator = create_calibrator(
            self._prepared,
            list(_registry()),
            augmented_model_path=str(self._scratch / "augmented.onnx"),
            calibrate_method=getattr(CalibrationMethod, _METHODS[self._method]),
        )
        calibrator.collect_data(_reader(data))
        self._ranges = calibrator.compute_data()

    def alone(self, layer: Operator) -> Path:
        return self._write({each.key for each in self.operators if each.key != layer.key}, {})

    def all_but(self, kept: Collection[Operator], fallback: Fallback) -> Path:
        if fallback == "float":
            return self._write({each.key for each in kept}, {})
        tensors = {name for each in kept for name in (*each.reads, *each.writes)}
        return self._write(set(), dict.fromkeys(tensors, "QUInt16"))

    def outputs(self, path: Path | None, inputs: NamedArrays) -> Arrays:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(
            str(path or self._prepared), options, providers=["CPUExecutionProvider"]
        )
        runs = [session.run(None, dict(sample)) for sample in single_samples(inputs)]
        return tuple(np.concatenate(parts) for parts in zip(*runs, strict=True))

    def _write(self, left_out: set[str], wider: Mapping[str, str]) -> Path:
        """``wider``: the activation type of the tensors that are not to have 8 bits."""
        from onnxruntime.quantization import QuantType
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
        from onnxruntime.quantization.quant_utils import load_model_with_shape_infer

        overrides = {
            name: [{"quant_type": getattr(QuantType, kind)}] for name, kind in wider.items()
        }
        quantizer = QDQQuantizer(
            load_model_with_shape_infer(self._prepared),
            per_channel=True,
            reduce_range=False,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=self._ranges,
            nodes_to_quantize=[],
            nodes_to_exclude=sorted(left_out),
            op_types_to_quantize=list(_registry()),
            extra_options={"TensorQuantOverrides": overrides},
        )
        quantizer.quantize_model()
        target = self._scratch / "layered.onnx"
        quantizer.model.save_model_to_file(str(target), False)
        return target


def _registry() -> tuple[str, ...]:
    """The operator types that ``quantize_static`` quantizes by default, in a fixed order."""
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    return tuple(sorted({*QDQRegistry, *QLinearOpsRegistry}))


def _prepared(source: Path, scratch: Path) -> Path:
    """Folded and with shapes, where that works (not on some transformers); every node named."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    target = scratch / "prepared.onnx"
    try:
        quant_pre_process(source, target)
        model = onnx.load(target)
    except Exception:
        model = onnx.load(source)
    taken = {node.name for node in model.graph.node}
    for index, node in enumerate(model.graph.node):
        if not node.name:
            node.name = f"{node.op_type}_{index}"
            if node.name in taken:
                node.name += "_unnamed"
    onnx.save(model, target)
    return target


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


def _reader(data: NamedArrays) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    feeds = single_samples(data)

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # the base class has no types
        def get_next(self) -> NamedArrays | None:
            return next(feeds, None)

    return Reader()
