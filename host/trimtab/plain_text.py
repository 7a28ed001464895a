"""Text from files and devices, without what would steer a terminal or forge a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

T = TypeVar("T")


def printable(text: str) -> str:
    """In one line."""
    return without_controls(" ".join(text.split()))


def without_controls(text: str, keep: str = "") -> str:
    """As long as before, so that names stay apart."""
    return "".join(each if each.isprintable() or each in keep else "?" for each in text)


def cleaned(value: T) -> T:
    """Each text within dataclasses, tuples and mappings is made printable."""
    return _cleaned(value)  # type: ignore[no-any-return]


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, tuple):
        return tuple(_cleaned(each) for each in value)
    if isinstance(value, Mapping):
        return {_cleaned(key): _cleaned(each) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        content = {each.name: _cleaned(getattr(value, each.name)) for each in fields(value)}
        return replace(value, **content)
    return value
