"""Model files as passes take them: written by any converter, of any age, in one file.

What cannot be read is left to the pass to refuse: the file runs, so it is no broken file.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.compress.passes import ModelFile, PassRejected

if TYPE_CHECKING:
    import onnx

# The first in which an initializer need not be a graph input as well.
_FIRST_IR_WITHOUT_INPUTS = 4
_OPSET = 13
_SIGNATURE = "serving_default"
_TFLITE_IDENTIFIER = b"TFL3"
_START_BYTES = 1024


def plain(source: ModelFile, scratch: Path) -> ModelFile:
    """``source`` itself where there is nothing to change, else a copy in ``scratch``.

    The copy computes the same. Raises PassRejected where it cannot be written.
    """
    target = scratch / f"plain.{source.format}"
    changes: dict[str, Callable[[ModelFile, Path], bool]] = {"onnx": _onnx, "tflite": _tflite}
    return ModelFile(target, source.format) if changes[source.format](source, target) else source


def _onnx(source: ModelFile, target: Path) -> bool:
    """External data inside; initializers no longer inputs, which converters take for variables."""
    import onnx

    model = onnx.load(source.path)
    values = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in values]
    old = any(not each.domain and each.version < _OPSET for each in model.opset_import)
    if len(inputs) == len(model.graph.input) and len(source.files) == 1 and not old:
        return False
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, _FIRST_IR_WITHOUT_INPUTS)
    try:
        onnx.save(_upgraded(model) if old else model, target)
    except ValueError as error:  # protobuf's own limit
        name = source.path.name
        raise PassRejected(f"{name} is larger than a single ONNX file may be") from error
    return True


def _upgraded(model: onnx.ModelProto) -> onnx.ModelProto:
    """To the first operator set with scales per channel, where there is a way to it."""
    from onnx import version_converter

    try:
        return version_converter.convert_version(model, _OPSET)
    except Exception:  # the converter raises its own kinds; passes may do without
        return model


def _tflite(source: ModelFile, target: Path) -> bool:
    """Operator codes and a signature as today's converters write them."""
    schema: Any = importlib.import_module("ai_edge_litert.schema_py_generated")
    model = schema.ModelT.InitFromPackedBuf(source.path.read_bytes(), 0)
    codes = [max(each.builtinCode, each.deprecatedBuiltinCode) for each in model.operatorCodes]
    if model.signatureDefs and codes == [each.builtinCode for each in model.operatorCodes]:
        return False
    for each, code in zip(model.operatorCodes, codes, strict=True):
        each.builtinCode = code
    if not model.signatureDefs:
        model.signatureDefs = [_signature(schema, model.subgraphs[0])]
    builder = importlib.import_module("flatbuffers").Builder(_START_BYTES)
    builder.Finish(model.Pack(builder), _TFLITE_IDENTIFIER)
    target.write_bytes(builder.Output())
    return True


def _signature(schema: Any, graph: Any) -> Any:
    """Inputs and outputs named as their tensors."""
    signature = schema.SignatureDefT()
    signature.signatureKey = _SIGNATURE.encode()
    signature.subgraphIndex = 0
    signature.inputs = [_entry(schema, graph, index) for index in graph.inputs]
    signature.outputs = [_entry(schema, graph, index) for index in graph.outputs]
    return signature


def _entry(schema: Any, graph: Any, index: int) -> Any:
    entry = schema.TensorMapT()
    entry.name = graph.tensors[index].name
    entry.tensorIndex = int(index)
    return entry
