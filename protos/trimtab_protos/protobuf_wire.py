"""Protobuf's wire format, as far as reading a few fields of an ONNX file needs it."""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


class NotProtobuf(Exception):
    pass


def fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of the length-delimited fields; the others are stepped over."""
    for number, wire_type, start, end in _walk(data):
        if wire_type == LENGTH:
            yield number, data[start:end]


def integers(data: memoryview) -> Iterator[tuple[int, int]]:
    """Number and value of the varint fields; the others are stepped over."""
    for number, wire_type, start, _ in _walk(data):
        if wire_type == VARINT:
            yield number, _varint(data, start)[0]


def _walk(data: memoryview) -> Iterator[tuple[int, int, int, int]]:
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire_type = tag >> 3, tag & 7
        start, end = _extent(data, position, wire_type)
        # A parser that cuts a longer tag off would see another field there.
        if tag >> 32 or number == 0 or end > len(data):
            raise NotProtobuf
        yield number, wire_type, start, end
        position = end


def _extent(data: memoryview, position: int, wire_type: int) -> tuple[int, int]:
    if wire_type == VARINT:
        return position, _varint(data, position)[1]
    if wire_type == LENGTH:
        length, start = _varint(data, position)
        return start, start + length
    if wire_type in (FIXED32, FIXED64):
        return position, position + (4 if wire_type == FIXED32 else 8)
    raise NotProtobuf  # groups, which no ONNX file has


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise NotProtobuf
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise NotProtobuf
