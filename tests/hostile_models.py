"""Files that do harm where they are taken for more than data: each would make a marker file."""

from __future__ import annotations

import importlib
import io
import json
import os
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper

_SIZE = 4


class Payload:
    """Unpickled, it makes the marker, with nothing but what every Python has."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.marker),)


def pickled(marker: Path) -> bytes:
    return pickle.dumps(Payload(marker))


def pickled_array(marker: Path) -> bytes:
    """An .npz with an array of objects."""
    file = io.BytesIO()
    np.savez(file, x=np.array([Payload(marker)], dtype=object))
    return file.getvalue()


def exported_program(marker: Path) -> bytes:
    """A .pt2 whose first weight is marked as pickled."""
    import torch

    kept = io.BytesIO()
    program = torch.export.export(torch.nn.Linear(4, 2).eval(), (torch.rand(1, 4),))
    torch.export.save(program, kept)
    weight, changed = io.BytesIO(), io.BytesIO()
    torch.save(Payload(marker), weight)
    with zipfile.ZipFile(kept) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("model_weights_config.json"):
                described = json.loads(content)
                described["config"]["weight"]["use_pickle"] = True
                content = json.dumps(described).encode()
            elif name.endswith("/weight_0"):
                content = weight.getvalue()
            target.writestr(name, content)
    return changed.getvalue()


def script(marker: Path) -> bytes:
    """A TorchScript program that writes a file when it is run."""
    import torch

    class Writes(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.place = str(marker)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            torch.save(x, self.place)
            return x

    jit: Any = torch.jit
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signature = {"inputs": [{"name": "x", "dtype": "float32", "dimensions": [1, 4]}]}
        extra = {"trimtab.json": json.dumps(signature)}
        jit.save(jit.script(Writes()), file, _extra_files=extra)
    return file.getvalue()


def onnx_reading(location: str, op_type: str = "Add") -> bytes:
    """y = x + w, four floats each, w as external data."""
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[_SIZE])
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(4 * _SIZE))):
        weight.external_data.add(key=key, value=value)
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [_SIZE]) for name in "xy")
    node = helper.make_node(op_type, ["x", "w"], ["y"])
    graph = helper.make_graph([node], "g", [x], [y], [weight])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(made.SerializeToString())


def onnx_compiled() -> bytes:
    """A part of it compiled for an accelerator, in another file."""
    node = helper.make_node(
        "EPContext", ["x"], ["y"], domain="com.microsoft", embed_mode=0, ep_cache_context="e.bin"
    )
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [_SIZE]) for name in "xy")
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    graph = helper.make_graph([node], "g", [x], [y])
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(made.SerializeToString())


def tflite(external: str = "", custom: str = "") -> bytes:
    """y = x + w, w in a group of external buffers; or an operator that is not built in."""
    schema: Any = importlib.import_module("ai_edge_litert.schema_py_generated")
    model: Any = schema.ModelT()
    graph, code, operator = schema.SubGraphT(), schema.OperatorCodeT(), schema.OperatorT()
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    model.buffers = [schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = np.arange(_SIZE, dtype="<f4").view(np.uint8)
    code.version = 1
    if custom:
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = custom
    graph.tensors = [_tensor(schema, name) for name in "xwy"]
    if external:
        group, buffer = schema.ExternalBufferGroupT(), schema.ExternalBufferT()
        group.name, buffer.id, buffer.length = external, 1, 4 * _SIZE
        model.externalBufferGroups, model.externalBuffers = [group], [buffer]
        graph.tensors[1].externalBuffer = 1
    else:
        graph.tensors[1].buffer = 1
    graph.inputs, graph.outputs, graph.operators = [0], [2], [operator]
    operator.inputs, operator.outputs, operator.opcodeIndex = [0, 1], [2], 0
    builder = importlib.import_module("flatbuffers").Builder(1 << 10)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(schema: Any, name: str) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name, [_SIZE], 0
    tensor.type = schema.TensorType.FLOAT32
    return tensor
