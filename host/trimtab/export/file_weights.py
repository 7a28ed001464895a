"""What a model file consists of: its weights, and how many of them are zero."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.export.onnx_constants import UnknownWeights, Weights, onnx_weights
from trimtab.records import ModelFacts

NO_MACS = 'they are counted in the model, and this is a file of it: give module = "task.py"'


def file_facts(path: Path, model_format: str) -> ModelFacts:
    """Of weights: floats of one axis or more and quantized ones, not their scales."""
    try:
        count, zeros = weight_counts(path, model_format)
    except UnknownWeights as error:
        reasons = dict.fromkeys(("parameters", "sparsity"), str(error))
        return ModelFacts(None, None, None, {**reasons, "macs": NO_MACS}, "file")
    unknown = {"macs": NO_MACS}
    if not count:
        unknown["sparsity"] = "the file holds no weights"
    return ModelFacts(count, None, zeros / count if count else None, unknown, "file")


def weight_counts(path: Path, model_format: str) -> tuple[int, int]:
    """How many weights there are, and how many of them stand for 0. Raises UnknownWeights."""
    readers = {"onnx": onnx_weights, "tflite": _tflite_weights}
    if model_format not in readers:
        raise UnknownWeights(f"the weights of {model_format} files are not read")
    count = zeros = 0
    for values, zero_points in readers[model_format](path):
        count += values.size
        zeros += int((values == zero_points).sum())
    return count, zeros


def _tflite_weights(path: Path) -> Iterator[Weights]:
    """Each buffer once, whichever tensors share it."""
    from ai_edge_litert import schema_py_generated as schema

    model: Any = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    kinds = {value: name for name, value in vars(schema.TensorType).items() if name.isupper()}
    seen = set()
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            data = model.buffers[tensor.buffer].data
            if data is None or not len(data) or tensor.buffer in seen:
                continue
            seen.add(tensor.buffer)
            yield from _tflite_weight(tensor, kinds[tensor.type], np.asarray(data, np.uint8))


def _tflite_weight(tensor: Any, kind: str, data: Any) -> Iterator[Weights]:
    shape = () if tensor.shape is None else tuple(int(size) for size in tensor.shape)
    quantization = tensor.quantization
    scales = quantization.scale if quantization is not None else None
    is_quantized = scales is not None and len(scales) > 0
    if not shape or not (kind.startswith("FLOAT") or is_quantized):
        return
    values = _four_bits(data, shape) if kind == "INT4" else data.view(kind.lower()).reshape(shape)
    zero_points = quantization.zeroPoint if is_quantized else None
    if zero_points is None or len(zero_points) < 2:
        yield values, np.asarray(0 if zero_points is None or not len(zero_points) else zero_points)
        return
    axes = [1] * len(shape)
    axes[quantization.quantizedDimension] = len(zero_points)
    yield values, np.asarray(zero_points).reshape(axes)


def _four_bits(data: Any, shape: tuple[int, ...]) -> Any:
    """Two in a byte, the lower first, in two's complement."""
    pairs = np.stack([data & 0xF, data >> 4], axis=-1).reshape(-1).astype(np.int8)
    return ((pairs ^ 8) - 8)[: int(np.prod(shape))].reshape(shape)
