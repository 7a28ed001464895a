"""Strategies for requests: any message of a descriptor, and a valid one with something changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from fuzz.samples import Sample
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import strategies as st

_MAX_DEPTH = 5
_SHA256_ISH = "0123456789abcdefABCDEFg"
_NAMES = (
    "",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "C:\\x",
    "nul\0inside",
    "new\nline",
    "\x1b[2J",
    "\u202egnp.exe",
    "é" * 300,
    "\U0001f6a4" * 256,
    "x" * 255,
    "x" * 70_000,
    "%s%n{0}",
    "-rf",
    "~root",
    "con",
)


def request_messages(descriptor: Descriptor, sample: Sample) -> st.SearchStrategy[bytes]:
    """Serialised requests: made up, half right, or no message at all."""
    made_up = _messages(descriptor, sample.texts, 0).map(_bytes)
    valid = sample.requests.get(descriptor.name, ())
    if not valid:
        return st.one_of(made_up, _damaged(made_up), st.binary(max_size=200))
    right = st.sampled_from(valid)
    half_right = right.flatmap(lambda message: changed(message, sample.texts)).map(_bytes)
    return st.one_of(
        half_right, half_right, made_up, _damaged(right.map(_bytes)), st.binary(max_size=200)
    )


@st.composite
def changed(draw: Callable[..., Any], message: Any, texts: tuple[str, ...]) -> Any:
    """A copy with one to three fields, anywhere in it, set to something else or taken away."""
    copy = type(message)()
    copy.CopyFrom(message)
    for _ in range(draw(st.integers(1, 3))):
        place = copy
        while True:
            field = draw(st.sampled_from(list(place.DESCRIPTOR.fields)))
            deeper = field.message_type is not None and not field.is_repeated
            if deeper and place.HasField(field.name) and draw(st.integers(0, 3)):
                place = getattr(place, field.name)
                if not place.DESCRIPTOR.fields:
                    break
                continue
            if field.is_repeated and field.message_type and not _is_map(field):
                items = getattr(place, field.name)
                if len(items) and draw(st.integers(0, 3)):
                    place = items[draw(st.integers(0, len(items) - 1))]
                    continue
            _fill(place, field, draw, texts, _MAX_DEPTH - 2)
            break
    return copy


@cache
def _messages(descriptor: Descriptor, texts: tuple[str, ...], depth: int) -> st.SearchStrategy[Any]:
    @st.composite
    def build(draw: Callable[..., Any]) -> Any:
        message = message_factory.GetMessageClass(descriptor)()
        for field in descriptor.fields:
            if draw(st.booleans()):
                _fill(message, field, draw, texts, depth + 1)
        return message

    return build()


def _fill(
    message: Any, field: FieldDescriptor, draw: Any, texts: tuple[str, ...], depth: int
) -> None:
    message.ClearField(field.name)
    if _is_map(field):
        _fill_map(message, field, draw, texts)
    elif field.is_repeated:
        _fill_repeated(message, field, draw, texts, depth)
    elif field.message_type is None:
        setattr(message, field.name, draw(_scalars(field.type, texts)))
    elif depth < _MAX_DEPTH and draw(st.booleans()):
        value = draw(_messages(field.message_type, texts, depth))
        getattr(message, field.name).CopyFrom(value)


def _fill_map(message: Any, field: FieldDescriptor, draw: Any, texts: tuple[str, ...]) -> None:
    assert field.message_type is not None
    entry = field.message_type.fields_by_name
    keys, values = (_scalars(entry[name].type, texts) for name in ("key", "value"))
    getattr(message, field.name).update(draw(st.dictionaries(keys, values, max_size=4)))


def _fill_repeated(
    message: Any, field: FieldDescriptor, draw: Any, texts: tuple[str, ...], depth: int
) -> None:
    """A few different ones, and now and then thousands of one."""
    items = getattr(message, field.name)
    times = draw(st.sampled_from((1, 1, 1, 1, 1, 1, 300, 5000)))
    if field.message_type is None:
        one = _scalars(field.type, texts)
        items.extend(draw(st.lists(one, max_size=4)) * times)
    elif depth < _MAX_DEPTH:
        found = draw(st.lists(_messages(field.message_type, texts, depth), max_size=3))
        fits = max(1, min(times, 500_000 // (1 + sum(each.ByteSize() for each in found))))
        items.extend(found * fits)


@cache
def _scalars(kind: int, texts: tuple[str, ...]) -> st.SearchStrategy[Any]:
    makers: Mapping[int, Callable[[], st.SearchStrategy[Any]]] = {
        FieldDescriptor.TYPE_INT32: lambda: _integers(-(2**31), 2**31 - 1),
        FieldDescriptor.TYPE_ENUM: lambda: _integers(-(2**31), 2**31 - 1),
        FieldDescriptor.TYPE_UINT32: lambda: _integers(0, 2**32 - 1),
        FieldDescriptor.TYPE_INT64: lambda: _integers(-(2**63), 2**63 - 1),
        FieldDescriptor.TYPE_UINT64: lambda: _integers(0, 2**64 - 1),
        FieldDescriptor.TYPE_BOOL: st.booleans,
        FieldDescriptor.TYPE_DOUBLE: st.floats,
        FieldDescriptor.TYPE_FLOAT: lambda: st.floats(width=32),
        FieldDescriptor.TYPE_BYTES: lambda: st.one_of(
            st.binary(max_size=100), st.sampled_from((b"\0" * (1 << 20), b"x" * ((1 << 20) + 1)))
        ),
        FieldDescriptor.TYPE_STRING: lambda: _texts(texts),
    }
    return makers[kind]()


def _integers(least: int, most: int) -> st.SearchStrategy[int]:
    extremes = (least, least + 1, 0, 1, 2, 10, 1000, most - 1, most)
    near_zero = st.integers(max(least, -3), 300)
    return st.one_of(st.sampled_from(extremes), near_zero, st.integers(least, most))


def _texts(known: tuple[str, ...]) -> st.SearchStrategy[str]:
    printable = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    digests = st.text(_SHA256_ISH, min_size=62, max_size=66)
    return st.one_of(
        st.sampled_from(known), st.sampled_from(known), st.sampled_from(_NAMES), digests, printable
    )


@st.composite
def _damaged(draw: Callable[..., Any], whole: st.SearchStrategy[bytes]) -> bytes:
    """Bits turned, bytes cut out, ends cut off: often no message, or text that is no UTF-8."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(1, 3))):
        if not data:
            break
        place = draw(st.integers(0, len(data) - 1))
        action = draw(st.integers(0, 2))
        if action == 0:
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif action == 1:
            del data[place : place + draw(st.integers(1, 8))]
        else:
            del data[place:]
    return bytes(data)


def _bytes(message: Any) -> bytes:
    return bytes(message.SerializeToString())


def _is_map(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return kind is not None and bool(kind.GetOptions().map_entry)
