"""Reads ``trimtab.toml``; every error is one line: the file, the line, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import tomllib
from pydantic import ValidationError

from trimtab.project.limits import objective, requirements
from trimtab.project.locate import KeyPath, line_numbers, nearest_line
from trimtab.project.model import Project, ProjectTables, check_measure
from trimtab.project.problem import Problem, problems
from trimtab.project.recipes import variant_plans
from trimtab.project.source import task_source
from trimtab.records import UserError

PROJECT_FILE = "trimtab.toml"
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_T = TypeVar("_T")


def load_project(path: Path, devices: Sequence[str] = ()) -> Project:
    """``path`` is the file, or the folder it stands in. ``devices``: selectors that replace
    [devices] select.

    Raises UserError.
    """
    file = path / PROJECT_FILE if path.is_dir() else path
    text = _read(file)
    document = _parse(file, text)
    try:
        return _checked(file, document, devices)
    except Problem as problem:
        raise _located(file, text, problem) from problem


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except FileNotFoundError as error:
        advice = "name a project file, or start one with `trimtab init DIR`"
        raise UserError(f"{file}: no such file", advice) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{file}:{line}: not UTF-8 text; allowed: TOML in UTF-8") from error
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}", "check its permissions") from error


def _parse(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _TOML_PLACE.search(str(error))
        line = place[1] if place and place[1] else str(len(text.splitlines()) or 1)
        message = _TOML_PLACE.sub("", str(error))
        raise UserError(f"{file}:{line}: not TOML: {message}", "see https://toml.io") from error


def _located(file: Path, text: str, problem: Problem) -> UserError:
    line = nearest_line(line_numbers(text), problem.path)
    return UserError(f"{file}:{line}: {problem}", "correct that line")


def _checked(file: Path, document: dict[str, Any], devices: Sequence[str]) -> Project:
    try:
        tables = ProjectTables.model_validate(document)
    except ValidationError as error:
        raise problems(error, ProjectTables)[0] from error
    _within(("measure",), lambda: check_measure(tables.measure))
    source = _within(("task",), lambda: task_source(file.parent, tables.task))
    selected = tuple(devices) or tables.devices.select
    return Project(
        path=file,
        source=source,
        seed=tables.task.seed,
        variants=variant_plans(tables.variant, source.default_formats, selected),
        devices=selected,
        measure=tables.measure,
        dispatch=tables.dispatch,
        requirements=_within(("require",), lambda: requirements(tables.require)),
        objective=_within(("prefer",), lambda: objective(tables.prefer)),
        opset=tables.export.opset,
        robustness=tables.robustness,
    )


def _within(base: KeyPath, check: Callable[[], _T]) -> _T:
    try:
        return check()
    except Problem as problem:
        raise Problem((*base, *problem.path), problem.message, problem.allowed) from problem
