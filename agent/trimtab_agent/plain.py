"""Frozen dataclasses to and from plain JSON values, by their annotations.

A field that may be one of several dataclasses carries the class's name beside its values.
"""

from __future__ import annotations

import collections.abc
import types
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
_KIND = "@"


def to_plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        plain = {item.name: to_plain(getattr(value, item.name)) for item in fields(value)}
        return {_KIND: type(value).__name__, **plain}
    if isinstance(value, tuple):
        if not value or isinstance(value[0], (int, float, str)):
            return list(value)
        return [to_plain(item) for item in value]
    if isinstance(value, collections.abc.Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    return value


def from_plain(cls: type[T], plain: Any) -> T:
    """Raises ValueError, KeyError or TypeError where the values do not fit the class."""
    value: T = _decode(cls, plain)
    return value


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _decode(kind: Any, plain: Any) -> Any:
    origin = get_origin(kind)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        return kind(
            **{key: _decode(hints[key], item) for key, item in plain.items() if key in hints}
        )
    if origin is tuple:
        return _decode_tuple(get_args(kind)[0], plain)
    if origin is collections.abc.Mapping:
        return {key: _decode(get_args(kind)[1], item) for key, item in plain.items()}
    if origin in (Union, types.UnionType):
        return _decode_union(get_args(kind), plain)
    if origin is Literal and plain not in get_args(kind):
        raise ValueError(f"{plain!r} is none of {get_args(kind)}")
    return plain


def _decode_tuple(item_kind: Any, plain: Any) -> tuple[Any, ...]:
    if item_kind in (int, float, str):
        return tuple(plain)
    return tuple(_decode(item_kind, item) for item in plain)


def _decode_union(kinds: tuple[Any, ...], plain: Any) -> Any:
    if plain is None:
        return None
    named = {getattr(kind, "__name__", ""): kind for kind in kinds if is_dataclass(kind)}
    if named:
        return _decode(named[plain[_KIND]], plain)
    return plain
