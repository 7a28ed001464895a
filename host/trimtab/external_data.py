"""Which data files an ONNX model refers to, read from its bytes without the onnx package.

A walk over the protobuf wire format along the few fields of onnx.proto that can hold a tensor:
ModelProto -> GraphProto -> TensorProto, through attributes, subgraphs and functions.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from trimtab.protobuf_wire import NotProtobuf, fields
from trimtab.records import UserError

_MAX_DEPTH = 64

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
    except NotProtobuf:
        return ()
    return tuple(found)


def external_data_files(path: Path) -> tuple[Path, ...]:
    """All beside the model, whether they are there or not. Raises UserError as check_bare does."""
    locations = external_data_locations(path)
    for location in locations:
        check_bare(path, location)
    return tuple(path.parent / location for location in locations)


def check_bare(model: Path, location: str) -> None:
    """Raises UserError where a location of external data leads anywhere but beside the model.

    A model that somebody else made could else have any file read here; and the name travels to the
    device, where no name may be a path.
    """
    if location in ("", ".", "..") or "\\" in location or PurePosixPath(location).name != location:
        raise UserError(
            f"{model}: its external data is at {location!r}, which is not a bare file name",
            "save the model again with its data in one file beside it",
        )


def _walk(data: memoryview, message: str, found: dict[str, None], depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise NotProtobuf
    children = _SCHEMA[message]
    for number, value in fields(data):
        child = children.get(number)
        if child == "tensor":
            _read_tensor(value, found)
        elif child is not None:
            _walk(value, child, found, depth + 1)


def _read_tensor(data: memoryview, found: dict[str, None]) -> None:
    for number, value in fields(data):
        if number == _TENSOR_EXTERNAL_DATA:
            entry = dict(fields(value))
            if bytes(entry.get(_ENTRY_KEY, b"")) == b"location":
                found[_text(entry.get(_ENTRY_VALUE, memoryview(b"")))] = None


def _text(data: memoryview) -> str:
    try:
        return bytes(data).decode()
    except UnicodeDecodeError as error:
        raise NotProtobuf from error
