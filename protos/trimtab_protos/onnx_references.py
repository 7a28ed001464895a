"""What an ONNX file refers to and holds, read from its bytes without the onnx package.

Along the few fields of onnx.proto that can hold a tensor: ModelProto -> GraphProto -> TensorProto,
through attributes, subgraphs and functions.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trimtab_protos.protobuf_wire import NotProtobuf, fields

_MAX_DEPTH = 64
# Message -> field number -> the message in that field; the numbers stand in onnx.proto.
SCHEMA: Mapping[str, Mapping[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
}
_TENSOR_EXTERNAL_DATA = 13
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_NODE_OP_TYPE = 4
_COMPILED = b"EPContext"


@dataclass
class OnnxReferences:
    """``locations`` of external data as they stand there, in the order they are first named.

    ``has_compiled``: a part is compiled for an accelerator (EPContext).
    """

    locations: dict[bytes, None] = field(default_factory=dict)
    has_compiled: bool = False


def onnx_references(path: Path) -> OnnxReferences:
    """Raises NotProtobuf where it cannot be read as ONNX; an empty file has none."""
    found = OnnxReferences()
    if path.stat().st_size == 0:  # which cannot be mapped
        return found
    with path.open("rb") as file:
        # Closed with its last view: an error's traceback may still hold slices of it.
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    _walk(data, "ModelProto", found, 0)
    return found


def _walk(data: memoryview, message: str, found: OnnxReferences, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise NotProtobuf
    children = SCHEMA[message]
    for number, value in fields(data):
        child = children.get(number)
        if child == "TensorProto":
            _read_tensor(value, found)
        elif child is not None:
            _walk(value, child, found, depth + 1)
        elif number == _NODE_OP_TYPE and message == "NodeProto":
            found.has_compiled |= bytes(value) == _COMPILED


def _read_tensor(data: memoryview, found: OnnxReferences) -> None:
    for number, value in fields(data):
        if number == _TENSOR_EXTERNAL_DATA:
            entry = dict(fields(value))
            if bytes(entry.get(_ENTRY_KEY, b"")) == b"location":
                found.locations[bytes(entry.get(_ENTRY_VALUE, b""))] = None
