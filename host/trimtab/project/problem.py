"""One wrong thing in a project file, and the sentence that says so."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from trimtab.project.locate import KeyPath

_KINDS = {
    "string_type": "a string",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
}


class Problem(Exception):
    """``path`` leads to the wrong key or value in the document."""

    def __init__(self, path: KeyPath, message: str, allowed: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.allowed = allowed

    def __str__(self) -> str:
        return f"{self.message}; allowed: {self.allowed}" if self.allowed else self.message


def unknown(what: str, name: str, known: Iterable[str]) -> tuple[str, str]:
    """Message and allowed names, the nearest one proposed."""
    names = tuple(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"unknown {what} {name}{hint}", ", ".join(names)


def problems(error: ValidationError, model: type[BaseModel], base: KeyPath = ()) -> list[Problem]:
    """What pydantic found, in our words; paths start at ``base``."""
    return [_problem(details, model, base) for details in error.errors(include_url=False)]


def _problem(details: ErrorDetails, model: type[BaseModel], base: KeyPath) -> Problem:
    # A union's branch stands in the location as its type's name: not a key of the document.
    inner = tuple(part for part in details["loc"] if part not in ("str", "tuple[str, ...]"))
    path: KeyPath = (*base, *inner)
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        message, allowed = unknown("key", str(path[-1]), _keys_beside(model, inner))
        return Problem(path, message, allowed)
    if kind == "missing":
        return Problem(path[:-1], f"{path[-1]} is missing", _allowed_values(model, inner))
    if kind == "literal_error":
        expected = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        return Problem(path, f"unknown {dotted(path)} {details['input']}", expected)
    if kind in _KINDS:
        message = f"{dotted(path)} is {_shown(details['input'])}"
        return Problem(path, message, _KINDS[kind])
    return Problem(path, *_limit(kind, context, path, details))


def _limit(
    kind: str, context: Mapping[str, Any], path: KeyPath, details: ErrorDetails
) -> tuple[str, str]:
    shown = f"{dotted(path)} is {_shown(details['input'])}"
    limits = {
        "greater_than": f"more than {context.get('gt')}",
        "greater_than_equal": f"{context.get('ge')} or more",
        "less_than": f"less than {context.get('lt')}",
        "less_than_equal": f"{context.get('le')} or less",
        "too_short": "a list with at least one element",
        "string_pattern_mismatch": "letters, digits and . _ -, starting with a letter or digit",
    }
    if kind in limits:
        return shown, limits[kind]
    return str(context.get("error", details["msg"])), ""


def dotted(path: Sequence[str | int]) -> str:
    """``measure.threads``, without the positions in lists."""
    return ".".join(part for part in path if isinstance(part, str))


def _shown(value: object) -> str:
    kinds: dict[type, str] = {str: "the string", dict: "a table", list: "a list", tuple: "a list"}
    kind = kinds.get(type(value))
    if isinstance(value, str):
        return f'{kind} "{value}"'
    return kind or str(value).lower()


def _keys_beside(model: type[BaseModel], path: KeyPath) -> tuple[str, ...]:
    """The keys of the table that the last part of the path stands in."""
    for part in path[:-1]:
        if isinstance(part, str):
            inner = _model_in(model.model_fields[part].annotation)
            model = inner or model
    return tuple(model.model_fields)


def _allowed_values(model: type[BaseModel], path: KeyPath) -> str:
    values = getattr(model.model_fields.get(str(path[-1])), "annotation", None)
    literals = getattr(values, "__args__", ())
    return ", ".join(value for value in literals if isinstance(value, str))


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None
