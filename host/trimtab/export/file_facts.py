"""What a model file is like, before anything is done to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

_ONNX_QUANTIZED = frozenset(
    {
        "QuantizeLinear",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "ConvInteger",
        "MatMulInteger",
        "MatMulNBits",
    }
)


def is_quantized(path: Path, model_format: str) -> bool:
    """Whether it holds integer weights or activations with a scale."""
    return {"onnx": _onnx_is_quantized, "tflite": _tflite_is_quantized}[model_format](path)


def _onnx_is_quantized(path: Path) -> bool:
    import onnx

    model = onnx.load(path, load_external_data=False)
    graphs: list[onnx.GraphProto | onnx.FunctionProto] = [model.graph, *model.functions]
    return any(
        node.op_type in _ONNX_QUANTIZED or node.op_type.startswith("QLinear")
        for graph in graphs
        for node in graph.node
    )


def _tflite_is_quantized(path: Path) -> bool:
    from ai_edge_litert.interpreter import Interpreter

    details = Interpreter(model_path=str(path), num_threads=1).get_tensor_details()
    return any(
        len(each["quantization_parameters"]["scales"]) and np.dtype(each["dtype"]).kind in "iu"
        for each in details
    )
