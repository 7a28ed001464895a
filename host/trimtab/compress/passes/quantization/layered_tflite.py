""".tflite files with some operators quantized, through ai-edge-quantizer's recipes by scope."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy.typing as npt

from trimtab.compress.passes.quantization import tflite_recipes
from trimtab.compress.passes.quantization.layers import (
    Fallback,
    LayeredFile,
    Operator,
    without_layers,
)
from trimtab.compress.passes.quantization.ranges import Method, RangeRule, unquantizable
from trimtab.compress.passes.quantization.tflite_ranges import (
    as_statistics,
    read_graph,
    tensor_ranges,
)
from trimtab.task import Arrays, NamedArrays, joined_runs, rows_of_file, single_samples

_PRODUCT = "BATCH_MATMUL"  # often of two computed tensors: attention
_LAYERS = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "CONV_2D_TRANSPOSE",
    "FULLY_CONNECTED",
    _PRODUCT,
    "EMBEDDING_LOOKUP",
)
_FLOAT_BYTES = 4
_ALL = "^"  # not ".*": entries under one expression stand where the first of them stood


class LayeredTflite(LayeredFile):
    """Inputs and outputs of the files stay float32: the operators beside them may be."""

    def __init__(self, source: Path, scratch: Path, method: Method) -> None:
        self._source = source
        self._rows = rows_of_file(source, "tflite")
        self._scratch = scratch
        self._rule = RangeRule(method)
        self._graph = read_graph(source)
        self._statistics: Any = None
        self._never: list[str] = []
        self.operators = tuple(_operators(source))

    def calibrate(self, data: NamedArrays) -> None:
        ranges = tensor_ranges(self._source, self._graph, data, self._rule)
        self._statistics = as_statistics(self._graph, ranges)
        self._never = self._graph.scopes_at(unquantizable(ranges))
        self.operators = without_layers(self.operators, self._never)

    def alone(self, layer: Operator) -> Path:
        scope = _regex([layer.key])
        return self._write([{**each, "regex": scope} for each in tflite_recipes.static(8)])

    def all_but(self, kept: Collection[Operator], fallback: Fallback) -> Path:
        recipe = list(tflite_recipes.static(8))
        if kept:
            scope = _regex([each.key for each in kept])
            if fallback == "int16":
                recipe += [{**each, "regex": scope} for each in tflite_recipes.static(16)]
            else:
                recipe.append(_not_quantized("*", scope))
        return self._write(recipe)

    def outputs(self, path: Path | None, inputs: NamedArrays) -> Arrays:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(path or self._source), num_threads=1)
        interpreter.allocate_tensors()
        runs = [_run_once(interpreter, sample) for sample in single_samples(inputs, self._rows)]
        return joined_runs(runs)

    def _write(self, recipe: list[dict[str, Any]]) -> Path:
        """The last entry that speaks of an operator holds."""
        from ai_edge_quantizer import quantizer

        never = [_not_quantized("*", _regex(self._never))] if self._never else []
        # An output has the scope of the operator that it comes from: its entry comes later.
        ends = [_not_quantized(each, _ALL) for each in ("INPUT", "OUTPUT")]
        made = quantizer.Quantizer(str(self._source))
        made.load_quantization_recipe([*recipe, *never, *ends])
        target = self._scratch / "layered.tflite"
        target.unlink(missing_ok=True)
        made.quantize(self._statistics).export_model(str(target))
        return target


def _not_quantized(operation: str, regex: str) -> dict[str, Any]:
    from ai_edge_quantizer import algorithm_manager, qtyping

    return {
        "regex": regex,
        "operation": qtyping.TFLOperationName(operation),
        "algorithm_key": algorithm_manager.AlgorithmName.NO_QUANTIZE,
    }


def _regex(scopes: Collection[str]) -> str:
    return f"^(?:{'|'.join(re.escape(each) for each in scopes)})$"


def _operators(path: Path) -> Iterator[Operator]:
    """Of the main graph; the key is the scope that a recipe finds the operator by."""
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils as flatbuffer

    model = flatbuffer.read_model(str(path))
    graph = model.subgraphs[0]
    names: set[str] = set()
    for operator in graph.operators:
        code = _code(model.operatorCodes[operator.opcodeIndex])
        known = flatbuffer.TFL_OP_CODE_TO_NAME.get(code)
        kind = known.value if known else f"operator {code}"
        tensors = [graph.tensors[index] for index in operator.inputs if index >= 0]
        constants = [each for each in tensors if _is_constant(model, each)]
        weights = [each for each in constants if kind in _LAYERS and _is_weight(each)]
        key = flatbuffer.get_op_scope(operator, graph.tensors)
        name = _shown(_text(weights[0].name)) if weights else key
        name = name if name not in names else key
        names.add(name)
        yield Operator(
            key=key,
            name=name,
            type=kind,
            reads=tuple(_text(each.name) for each in tensors if not _is_constant(model, each)),
            writes=tuple(_text(graph.tensors[index].name) for index in operator.outputs),
            is_layer=bool(weights) or kind == _PRODUCT,
            weight_bytes=sum(_FLOAT_BYTES * math.prod(each.shape) for each in weights),
        )


def _code(operator_code: Any) -> int:
    """Older converters write the one field, newer ones both or the other."""
    return int(max(operator_code.builtinCode, operator_code.deprecatedBuiltinCode))


def _is_weight(tensor: Any) -> bool:
    from ai_edge_litert import schema_py_generated as schema

    return bool(tensor.type == schema.TensorType.FLOAT32 and len(tensor.shape) > 1)


def _is_constant(model: Any, tensor: Any) -> bool:
    return model.buffers[tensor.buffer].data is not None


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _shown(tensor: str) -> str:
    """``layer1.0.conv1`` of litert-torch's ``…/a.Sequential_layer1/b.Block_0/c.Conv2d_conv1;1``."""
    last = tensor.rpartition(";;")[2].partition(";")[0]
    modules = [re.fullmatch(r"[\w.<>]*\.[A-Za-z]\w*?_(\w+)", part) for part in last.split("/")]
    if not modules or not all(modules[1:]) or len(modules) < 2:
        return tensor.rstrip(";")
    return ".".join(found.group(1) for found in modules[1:] if found).removeprefix("model.")


def _run_once(interpreter: Any, sample: NamedArrays) -> tuple[npt.NDArray[Any], ...]:
    details = interpreter.get_input_details()
    for detail, array in zip(details, sample.values(), strict=True):
        interpreter.set_tensor(detail["index"], array.astype(detail["dtype"]))
    interpreter.invoke()
    return tuple(interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details())
