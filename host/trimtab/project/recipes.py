"""The [[variant]] tables: formats and passes that exist, settings that the passes accept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from pydantic import BaseModel, ValidationError

from trimtab.plugins import load_plugin, plugin_names
from trimtab.project.locate import KeyPath
from trimtab.project.model import PassStep, VariantPlan, VariantTable
from trimtab.project.pipelines import Turnable, check_names, target_of
from trimtab.project.problem import Problem, problems, unknown

FLOAT = "float"


class PassDeclaration(Protocol):
    """What a project file needs to know of a pass; see ``trimtab.compress.passes.base``."""

    config: type[BaseModel]
    dial: Turnable | None

    @classmethod
    def order_problem(cls, earlier: Sequence[Any]) -> str | None:
        """``earlier``: the declarations of the passes before it."""

    @classmethod
    def settings_problem(cls, settings: Mapping[str, Any], earlier: Sequence[Any]) -> str | None:
        """As ``order_problem``, for what depends on the settings."""


def variant_plans(
    tables: Sequence[VariantTable], default_formats: tuple[str, ...], devices: Sequence[str]
) -> tuple[VariantPlan, ...]:
    """Raises Problem."""
    plans: list[VariantPlan] = []
    for index, table in enumerate(tables):
        base: KeyPath = ("variant", index)
        _check_name(table.name, [plan.name for plan in plans], (*base, "name"))
        formats = table.formats or default_formats
        _check_formats(formats, (*base, "formats"))
        steps = pass_steps(table.passes, (*base, "passes"))
        target = target_of(table, _dials(table, base), devices, base)
        plans.append(VariantPlan(table.name, formats, steps, target))
    check_names(plans)
    return tuple(plans)


def _dials(table: VariantTable, base: KeyPath) -> list[Turnable | None]:
    """Those that the other settings of their passes allow to be turned."""
    dials: list[Turnable | None] = []
    for index, each in enumerate(table.passes):
        path = (*base, "passes", index)
        declaration = _declaration(each, path)
        dial = declaration.dial
        if table.target and dial is not None and not dial.written(each):
            _settings(declaration.config, {**each, dial.setting: dial.weakest}, path)
        dials.append(dial)
    return dials


def pass_steps(tables: Sequence[Mapping[str, Any]], base: KeyPath) -> tuple[PassStep, ...]:
    """Raises Problem for an unknown pass, a setting it does not have, and a wrong order."""
    steps: list[PassStep] = []
    earlier: list[PassDeclaration] = []
    for index, table in enumerate(tables):
        path = (*base, index)
        declaration = _declaration(table, path)
        wrong_order = declaration.order_problem(earlier)
        if wrong_order:
            raise Problem((*path, "use"), wrong_order)
        settings = _settings(declaration.config, table, path)
        misplaced = declaration.settings_problem(settings, earlier)
        if misplaced:
            raise Problem((*path, "use"), misplaced)
        steps.append(PassStep(table["use"], settings))
        earlier.append(declaration)
    return tuple(steps)


def _declaration(table: Mapping[str, Any], path: KeyPath) -> PassDeclaration:
    known = plugin_names("trimtab.passes")
    use = table.get("use")
    if not isinstance(use, str):
        raise Problem(path, "a pass needs use = its name", ", ".join(known))
    if use not in known:
        raise Problem((*path, "use"), *unknown("pass", use, known))
    plugin = load_plugin("trimtab.passes", use)
    if plugin.unavailable:
        raise Problem((*path, "use"), f"pass {use} is unavailable: {plugin.unavailable}")
    return cast(PassDeclaration, plugin.loaded)


def _settings(
    config: type[BaseModel], table: Mapping[str, Any], path: KeyPath
) -> Mapping[str, Any]:
    given = {key: value for key, value in table.items() if key != "use"}
    try:
        return config.model_validate(given).model_dump(mode="json", exclude_none=True)
    except ValidationError as error:
        raise problems(error, config, path)[0] from error


def _check_name(name: str, taken: Sequence[str], path: KeyPath) -> None:
    if name == FLOAT:
        raise Problem(path, "float is the uncompressed model, which is always made", "another name")
    if name in taken:
        raise Problem(path, f"two variants are called {name}", "a name for each of its own")


def _check_formats(formats: Sequence[str], path: KeyPath) -> None:
    known = plugin_names("trimtab.exporters")
    for index, name in enumerate(formats):
        if name not in known:
            raise Problem((*path, index), *unknown("format", name, known))
        if name in formats[:index]:
            raise Problem((*path, index), f"{name} is named twice", "each format once")
