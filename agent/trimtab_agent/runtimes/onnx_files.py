"""ONNX files as data: what one refers to is read from its bytes before a runtime opens it.

Older runtimes (ONNX Runtime 1.20, OpenVINO 2025.0) follow the location of external data out of the
model's folder: any file that the agent may read would come back in an output. So it is looked at
here, whatever the runtime. Along the few fields of onnx.proto that can hold a tensor: ModelProto ->
GraphProto -> TensorProto, through attributes, subgraphs and functions.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trimtab_agent.runtimes.base import ModelRefused
from trimtab_agent.runtimes.reasons import allow_it

_MAX_DEPTH = 64
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
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


class _NotProtobuf(Exception):
    pass


@dataclass
class _Found:
    locations: set[str] = field(default_factory=set)
    has_compiled: bool = False


def check_onnx(path: Path, allow_code: bool) -> None:
    """Raises ModelRefused where it reads beside its folder or, unless allowed, holds code.

    Also where it cannot be read here: a runtime's own parser might read more of it.
    """
    found = _found_in(path)
    outside = sorted(each for each in found.locations if not _is_bare(each))
    if outside:
        raise ModelRefused(
            f"its external data is at {outside[0][:80]!r}, which is not a bare file name: save the "
            "model again with its data in one file beside it"
        )
    if found.has_compiled and not allow_code:
        raise ModelRefused(
            "it holds a part compiled for an accelerator (EPContext), which is code, and this "
            f"device does not allow that: {allow_it('send the model as it was before')}"
        )


def _found_in(path: Path) -> _Found:
    found = _Found()
    if path.stat().st_size == 0:  # which cannot be mapped; the runtime says it best
        return found
    with path.open("rb") as file:
        # Closed with its last view: an error's traceback may still hold slices of it.
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    try:
        _walk(data, "ModelProto", found, 0)
    except _NotProtobuf as error:
        raise ModelRefused(
            f"Load model from {path.name} failed: it is damaged, or no ONNX model: export it again"
        ) from error
    return found


def _is_bare(location: str) -> bool:
    """As the files of a model are named: beside it, in no other folder."""
    return location not in ("", ".", "..") and not any(each in location for each in "/\\\0")


def _walk(data: memoryview, message: str, found: _Found, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise _NotProtobuf
    children = SCHEMA[message]
    for number, value in _fields(data):
        child = children.get(number)
        if child == "TensorProto":
            _read_tensor(value, found)
        elif child is not None:
            _walk(value, child, found, depth + 1)
        elif number == _NODE_OP_TYPE and message == "NodeProto":
            found.has_compiled |= bytes(value) == _COMPILED


def _read_tensor(data: memoryview, found: _Found) -> None:
    for number, value in _fields(data):
        if number == _TENSOR_EXTERNAL_DATA:
            entry = dict(_fields(value))
            if bytes(entry.get(_ENTRY_KEY, b"")) == b"location":
                location = bytes(entry.get(_ENTRY_VALUE, b""))
                found.locations.add(location.decode(errors="replace"))


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of the length-delimited fields; the others are stepped over."""
    position, size = 0, len(data)
    while position < size:
        tag, position = _varint(data, position)
        # A parser that cuts a longer tag off would see another field there.
        if tag >> 32 or tag >> 3 == 0:
            raise _NotProtobuf
        start, end = _extent(data, position, tag & 7)
        if end > size:
            raise _NotProtobuf
        if tag & 7 == _LENGTH:
            yield tag >> 3, data[start:end]
        position = end


def _extent(data: memoryview, position: int, wire_type: int) -> tuple[int, int]:
    if wire_type == _VARINT:
        return position, _varint(data, position)[1]
    if wire_type == _LENGTH:
        length, start = _varint(data, position)
        return start, start + length
    if wire_type in (_FIXED32, _FIXED64):
        return position, position + (4 if wire_type == _FIXED32 else 8)
    raise _NotProtobuf  # groups, which no ONNX file has


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise _NotProtobuf
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _NotProtobuf
