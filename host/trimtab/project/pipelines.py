"""The ``target`` of a [[variant]]: a metric and a limit that its passes are turned to reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from trimtab.project.limits import parse_requirement
from trimtab.project.locate import KeyPath
from trimtab.project.model import VariantPlan, VariantTable
from trimtab.project.problem import Problem, unknown
from trimtab.project.targets import MEASURED_TARGETS, TARGETS, Target

DEFAULT_DROP = 0.02
DEFAULT_POINTS = 2


class Turnable(Protocol):
    """What is to be known of a pass's dial; see ``trimtab.compress.passes.base.Dial``."""

    setting: str
    weakest: float
    strongest: float

    def written(self, settings: Mapping[str, Any]) -> str | None: ...


def target_of(
    table: VariantTable,
    dials: Sequence[Turnable | None],
    devices: Sequence[str],
    base: KeyPath,
) -> Target | None:
    """``dials``: of the table's passes. ``devices``: the project's. Raises Problem."""
    if table.target is None:
        _check_alone(table, base)
        return None
    metric, limit = _limit(table.target, (*base, "target"))
    turned = tuple(_turned(table.passes, dials))
    if not turned:
        raise Problem((*base, "passes"), _nothing_to_turn(table.passes, dials), _TURN_ONE)
    on = _device(table, metric, devices, base)
    drop = DEFAULT_DROP if table.max_accuracy_drop is None else table.max_accuracy_drop
    points = DEFAULT_POINTS if table.points is None else table.points
    return Target(metric, limit, turned, drop, on, points)


def check_names(plans: Sequence[VariantPlan]) -> None:
    """What a pipeline makes on its way is called by its name and more. Raises Problem."""
    for pipeline in (plan for plan in plans if plan.target):
        for index, plan in enumerate(plans):
            if plan.name.startswith(f"{pipeline.name}."):
                message = f"{plan.name} may be the name of a step of {pipeline.name}"
                raise Problem(("variant", index, "name"), message, "another name")


_TURN_ONE = "one pass at least that can be turned, such as prune, without that setting written down"


def _check_alone(table: VariantTable, base: KeyPath) -> None:
    for key in ("on", "max_accuracy_drop", "points"):
        if getattr(table, key) is not None:
            raise Problem(
                (*base, key), f"{key} goes with a target", 'target = { size_mb = "<= 1" }'
            )


def _limit(target: Mapping[str, str], path: KeyPath) -> tuple[str, float]:
    if len(target) != 1:
        raise Problem(path, f"target has {len(target)} metrics", "one; others go into [require]")
    ((metric, bound),) = target.items()
    if metric not in TARGETS:
        what, allowed = unknown("target", metric, TARGETS)
        raise Problem((*path, metric), what, allowed)
    try:
        requirement = parse_requirement(metric, bound)
    except Problem as problem:
        raise Problem((*path, metric), problem.message, problem.allowed) from problem
    if requirement.operator != "<=":
        raise Problem((*path, metric), f'{metric} is "{bound}"', 'at most a value: "<= 1.3"')
    return metric, requirement.limit


def _turned(passes: Sequence[Mapping[str, Any]], dials: Sequence[Turnable | None]) -> list[int]:
    """A setting that is written down stays as it is written."""
    return [
        index
        for index, (table, dial) in enumerate(zip(passes, dials, strict=True))
        if dial is not None and not dial.written(table)
    ]


def _nothing_to_turn(passes: Sequence[Mapping[str, Any]], dials: Sequence[Turnable | None]) -> str:
    fixed = [
        f"{dial.written(table)} of {table['use']}"
        for table, dial in zip(passes, dials, strict=True)
        if dial is not None
    ]
    if fixed:
        return f"nothing can be turned to reach the target: {', '.join(fixed)} is written down"
    return "nothing can be turned to reach the target"


def _device(table: VariantTable, metric: str, devices: Sequence[str], base: KeyPath) -> str | None:
    if metric not in MEASURED_TARGETS:
        if table.on is not None:
            raise Problem((*base, "on"), f"{metric} is the same on every device", "no on")
        return None
    if table.on is not None:
        return table.on
    if len(devices) != 1:
        message = f"several devices are selected, and {metric} is to be reached on one"
        raise Problem((*base, "target"), message, f'on = "{devices[0]}"')
    return devices[0]
