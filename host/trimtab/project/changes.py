"""Settings of [measure] and [dispatch] changed on the command line: the same names, checked by the
same code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

import tomllib
from pydantic import BaseModel, ValidationError

from trimtab.durations import seconds
from trimtab.project.dispatch_settings import DispatchSettings
from trimtab.project.model import MeasureSettings, check_measure
from trimtab.project.problem import Problem, problems, unknown
from trimtab.records import UserError

_HOW = "`trimtab policies` lists the settings; --set NAME=VALUE, for example --set warmup_s=500ms"
_NOTHING = "none"
_Table = TypeVar("_Table", bound=BaseModel)


def parse_change(text: str) -> tuple[str, Any]:
    """``max_duration_s=2m``: the setting's name and its value.

    Lists may be bare (``threads=1,2``), ``none`` takes an optional setting away. Raises UserError.
    """
    name, separator, value = (part.strip() for part in text.partition("="))
    if not separator or not name or not value:
        raise UserError(f"--set {text}: not a setting", _HOW)
    try:
        return name, _checked(name, value)
    except Problem as problem:
        raise UserError(f"--set {text}: {problem}", _HOW) from problem


def changed(measure: MeasureSettings, changes: Mapping[str, Any]) -> MeasureSettings:
    """With the changes over what the file and its policy set. Raises UserError."""
    given = {name: getattr(measure, name) for name in measure.model_fields_set}
    try:
        return _validated({**given, **changes})
    except Problem as problem:
        raise UserError(str(problem), _HOW) from problem


def is_of_dispatch(name: str) -> bool:
    """Else a setting is of [measure]: none is in both."""
    return name in DispatchSettings.model_fields


def _checked(name: str, text: str) -> Any:
    table = DispatchSettings if is_of_dispatch(name) else MeasureSettings
    if name not in table.model_fields:
        names = (*MeasureSettings.model_fields, *DispatchSettings.model_fields)
        raise Problem((name,), *unknown("setting", name, names))
    value = _value(name, table.model_fields[name].annotation, text)
    return getattr(_of(table, {name: value}), name)


def _validated(settings: Mapping[str, Any]) -> MeasureSettings:
    measure = _of(MeasureSettings, settings)
    check_measure(measure)
    return measure


def _of(table: type[_Table], settings: Mapping[str, Any]) -> _Table:
    try:
        return table.model_validate(settings)
    except ValidationError as error:
        raise problems(error, table)[0] from error


def _value(name: str, annotation: Any, text: str) -> Any:
    """As TOML would give it; what is no such value stays text, for the check to refuse."""
    if text == _NOTHING and type(None) in get_args(annotation):
        return None
    if name.endswith("_s"):
        return _seconds(name, text)
    if get_origin(annotation) is tuple and not text.startswith("["):
        return tuple(_toml(part.strip()) for part in text.split(","))
    value = _toml(text)
    kinds = {annotation, *get_args(annotation)}
    return value if kinds & {int, float, bool} or isinstance(value, (dict, list)) else text


def _seconds(name: str, text: str) -> float:
    duration = seconds(text)
    if duration is None:
        raise Problem((name,), f"{name} is {text}", "a duration such as 500ms, 2s, 10m")
    return duration


def _toml(text: str) -> Any:
    """The value that the text is in TOML, else the text."""
    try:
        document = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return document["value"] if len(document) == 1 else text
