""".tflite files with some operators quantized, through ai-edge-quantizer's recipes by scope."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trimtab.compress.passes.quantization.layers import Fallback, LayeredFile, Operator
from trimtab.task import Arrays, NamedArrays, single_samples

_LAYERS = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "CONV_2D_TRANSPOSE",
    "FULLY_CONNECTED",
    "BATCH_MATMUL",
    "EMBEDDING_LOOKUP",
)
_FLOAT_BYTES = 4
_EVERYTHING = ".*"
_ALL_THE_SAME = "^"  # another key than the former: a later one wins over an earlier one


class LayeredTflite(LayeredFile):
    """Inputs and outputs of the files stay float32: the operators beside them may be."""

    def __init__(self, source: Path, scratch: Path) -> None:
        self._source = source
        self._scratch = scratch
        self._ranges: Any = None
        self.operators = tuple(_operators(source))

    def calibrate(self, data: NamedArrays) -> None:
        """The smallest and largest value of each tensor over all samples."""
        from ai_edge_quantizer import calibrator, recipe, recipe_manager
        from ai_edge_quantizer.utils import qsv_utils

        manager = recipe_manager.RecipeManager()
        manager.load_quantization_recipe(recipe.static_wi8_ai8())
        observed = calibrator.Calibrator(
            str(self._source), num_threads=1, qsv_update_func=qsv_utils.min_max_update
        )
        observed.calibrate(_feeds(self._source, data), manager)
        self._ranges = observed.get_model_qsvs()

    def alone(self, layer: Operator) -> Path:
        return self._write([_int8(_scopes([layer])), *_float_ends()])

    def all_but(self, kept: Collection[Operator], fallback: Fallback) -> Path:
        from ai_edge_quantizer import recipe

        rest = _int8(_EVERYTHING)
        if not kept:
            return self._write([rest, *_float_ends()])
        other = recipe.static_wi8_ai16()[0] if fallback == "int16" else _not_quantized("*")
        return self._write([rest, {**other, "regex": _scopes(kept)}, *_float_ends()])

    def outputs(self, path: Path | None, inputs: NamedArrays) -> Arrays:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(path or self._source), num_threads=1)
        interpreter.allocate_tensors()
        runs = [_run_once(interpreter, sample) for sample in single_samples(inputs)]
        return tuple(np.concatenate(parts) for parts in zip(*runs, strict=True))

    def _write(self, recipe: list[dict[str, Any]]) -> Path:
        from ai_edge_quantizer import quantizer

        made = quantizer.Quantizer(str(self._source))
        made.load_quantization_recipe(recipe)
        target = self._scratch / "layered.tflite"
        target.unlink(missing_ok=True)
        made.quantize(self._ranges).export_model(str(target))
        return target


def _int8(scopes: str) -> dict[str, Any]:
    from ai_edge_quantizer import recipe

    return {**recipe.static_wi8_ai8()[0], "regex": scopes}


def _float_ends() -> list[dict[str, Any]]:
    """Last in a recipe: an output has the scope of the operator that it comes from."""
    return [_not_quantized("INPUT"), _not_quantized("OUTPUT")]


def _not_quantized(operation: str) -> dict[str, Any]:
    from ai_edge_quantizer import algorithm_manager, qtyping

    return {
        "regex": _ALL_THE_SAME,
        "operation": qtyping.TFLOperationName(operation),
        "algorithm_key": algorithm_manager.AlgorithmName.NO_QUANTIZE,
    }


def _scopes(operators: Collection[Operator]) -> str:
    return f"^(?:{'|'.join(re.escape(each.key) for each in operators)})$"


def _operators(path: Path) -> Iterator[Operator]:
    """Of the main graph; the key is the scope that a recipe finds the operator by."""
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils as flatbuffer

    model = flatbuffer.read_model(str(path))
    graph = model.subgraphs[0]
    names: set[str] = set()
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        known = flatbuffer.TFL_OP_CODE_TO_NAME.get(code)
        kind = known.value if known else f"operator {code}"
        tensors = [graph.tensors[index] for index in operator.inputs if index >= 0]
        constants = [each for each in tensors if _is_constant(model, each)]
        weights = [each for each in constants if len(each.shape) > 1] if kind in _LAYERS else []
        key = flatbuffer.get_op_scope(operator, graph.tensors)
        name = _shown(_text(weights[0].name) if weights else key)
        name = name if name not in names else key
        names.add(name)
        yield Operator(
            key=key,
            name=name,
            type=kind,
            reads=tuple(_text(each.name) for each in tensors if not _is_constant(model, each)),
            writes=tuple(_text(graph.tensors[index].name) for index in operator.outputs),
            is_layer=kind in _LAYERS,
            weight_bytes=sum(_FLOAT_BYTES * math.prod(each.shape) for each in weights),
        )


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


def _feeds(source: Path, data: NamedArrays) -> dict[str, list[dict[str, Any]]]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(source))
    signature = next(iter(interpreter.get_signature_list()))
    details = interpreter.get_signature_runner(signature).get_input_details()
    feeds = [
        {name: array.astype(details[name]["dtype"]) for name, array in sample.items()}
        for sample in single_samples(data)
    ]
    return {signature: feeds}


def _run_once(interpreter: Any, sample: NamedArrays) -> tuple[npt.NDArray[Any], ...]:
    details = interpreter.get_input_details()
    for detail, array in zip(details, sample.values(), strict=True):
        interpreter.set_tensor(detail["index"], array.astype(detail["dtype"]))
    interpreter.invoke()
    return tuple(interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details())
