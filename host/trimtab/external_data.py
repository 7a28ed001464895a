"""Which data files an ONNX model refers to, read from its bytes without the onnx package.

A walk over the protobuf wire format along the few fields of onnx.proto that can hold a tensor:
ModelProto -> GraphProto -> TensorProto, through attributes, subgraphs and functions.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path

_MAX_DEPTH = 64
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5

# Message -> field number -> the message in that field; the numbers stand in onnx.proto.
_SCHEMA: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse_tensor"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse_tensor",
        23: "sparse_tensor",
    },
    "sparse_tensor": {1: "tensor", 2: "tensor"},
}
_TENSOR_EXTERNAL_DATA = 13
_ENTRY_KEY, _ENTRY_VALUE = 1, 2


class _NotProtobuf(Exception):
    pass


def external_data_locations(path: Path) -> tuple[str, ...]:
    """Locations in the order they are first named; none where the file is not an ONNX model."""
    if path.stat().st_size == 0:
        return ()
    with path.open("rb") as file:
        # Closed with its last view: an error's traceback may still hold slices of it.
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    found: dict[str, None] = {}
    try:
        _walk(data, "model", found, 0)
    except _NotProtobuf:
        return ()
    return tuple(found)


def _walk(data: memoryview, message: str, found: dict[str, None], depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise _NotProtobuf
    children = _SCHEMA[message]
    for number, value in _fields(data):
        child = children.get(number)
        if child == "tensor":
            _read_tensor(value, found)
        elif child is not None:
            _walk(value, child, found, depth + 1)


def _read_tensor(data: memoryview, found: dict[str, None]) -> None:
    for number, value in _fields(data):
        if number == _TENSOR_EXTERNAL_DATA:
            entry = dict(_fields(value))
            if bytes(entry.get(_ENTRY_KEY, b"")) == b"location":
                found[_text(entry.get(_ENTRY_VALUE, memoryview(b"")))] = None


def _text(data: memoryview) -> str:
    try:
        return bytes(data).decode()
    except UnicodeDecodeError as error:
        raise _NotProtobuf from error


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Length-delimited fields only; the others are stepped over."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire_type = tag >> 3, tag & 7
        start, end = _extent(data, position, wire_type)
        if number == 0 or end > len(data):
            raise _NotProtobuf
        if wire_type == _LENGTH:
            yield number, data[start:end]
        position = end


def _extent(data: memoryview, position: int, wire_type: int) -> tuple[int, int]:
    if wire_type == _VARINT:
        return position, _varint(data, position)[1]
    if wire_type == _LENGTH:
        length, start = _varint(data, position)
        return start, start + length
    if wire_type in (_FIXED32, _FIXED64):
        return position, position + (4 if wire_type == _FIXED32 else 8)
    raise _NotProtobuf


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
