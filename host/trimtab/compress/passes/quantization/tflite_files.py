"""The schemes for .tflite files, through ai-edge-quantizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.quantization import tflite_recipes
from trimtab.compress.passes.quantization.ranges import Method, RangeRule, unquantizable
from trimtab.compress.passes.quantization.static_options import StaticOptions, kept_float
from trimtab.compress.passes.quantization.tflite_ranges import (
    as_statistics,
    read_graph,
    tensor_ranges,
)
from trimtab.task import NamedArrays


def dynamic(source: Path, target: Path, per_channel: bool = True) -> str:
    _write(source, target, tflite_recipes.dynamic(8, per_channel))
    return f"quantized dynamically: int8 weights per {_axis(per_channel)}"


def dynamic_int4(source: Path, target: Path) -> str:
    _write(source, target, tflite_recipes.dynamic(4))
    return "quantized dynamically: int4 weights per channel, activations to int8 while running"


def weight_int8(source: Path, target: Path, per_channel: bool = True) -> str:
    _write(source, target, tflite_recipes.weight_only(8, per_channel))
    return f"int8 weights per {_axis(per_channel)}; the arithmetic stays float"


def weight_int4(source: Path, target: Path) -> str:
    _write(source, target, tflite_recipes.weight_only(4))
    return "int4 weights per channel; the arithmetic stays float"


def half(source: Path, target: Path) -> str:
    _write(source, target, tflite_recipes.half())
    return "weights converted to half precision; the arithmetic stays float32"


def static(
    source: Path,
    target: Path,
    data: NamedArrays,
    method: Method = "minmax",
    keep_float: Sequence[str] = (),
    options: StaticOptions = StaticOptions(),  # noqa: B008  # frozen
) -> str:
    """int8 weights; operators may stay float, named by a tensor that they write."""
    activations = options.activations or "int8"
    graph = read_graph(source)
    ranges = tensor_ranges(source, graph, data, RangeRule(method, options.percentile))
    masked = graph.scopes_at(unquantizable(ranges))
    bits = 16 if activations == "int16" else 8
    recipe = tflite_recipes.static(
        bits, options.per_channel, [*graph.scopes_of(keep_float), *masked]
    )
    _write(source, target, recipe, as_statistics(graph, ranges))
    return (
        f"quantized statically: {options.weights}, {activations} activations, inputs and outputs"
        f"{kept_float(len(masked))}"
    )


def _axis(per_channel: bool) -> str:
    return "channel" if per_channel else "tensor"


def _write(source: Path, target: Path, recipe: Any, statistics: Any = None) -> None:
    from ai_edge_quantizer import quantizer

    made = quantizer.Quantizer(str(source))
    made.load_quantization_recipe(recipe)
    target.unlink(missing_ok=True)
    made.quantize(statistics).export_model(str(target))
    if _small_weights(target) <= _small_weights(source):
        raise PassRejected(
            "nothing was quantized: the model has no operator with constant weights that "
            "ai-edge-quantizer knows"
        )


def _small_weights(path: Path) -> int:
    """Constants with fewer bits than float32, biases and single numbers left out."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    types = schema.TensorType
    small = (types.INT8, types.UINT8, types.INT4, types.FLOAT16)
    model = tfl_flatbuffer_utils.read_model(str(path))
    return sum(
        tensor.type in small
        and len(tensor.shape) > 1
        and model.buffers[tensor.buffer].data is not None
        for graph in model.subgraphs
        for tensor in graph.tensors
    )
