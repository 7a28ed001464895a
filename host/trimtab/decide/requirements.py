"""Hard limits: how they are written, and whether a result meets them."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trimtab.decide.collapse import worst_class
from trimtab.measure.wording import show_value
from trimtab.metrics import METRICS
from trimtab.project.limits import parse_requirement as parse_bound
from trimtab.project.problem import Problem
from trimtab.records import Requirement, Result, UserError

_FORM = "write METRIC, one of <= >= < >, and a number: 'latency_p90_ms<=10'"
_PARTS = re.compile(r"\s*(\w+)\s*((?:<=|>=|<|>).*)")
_HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True)
class Miss:
    """``distance``: how far from the limit, as a share of it; infinite where it is not known."""

    requirement: Requirement
    text: str
    distance: float


def parse_requirement(text: str) -> Requirement:
    """``latency_p90_ms<=10``. Raises UserError, with the allowed metrics where one is unknown."""
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise UserError(f"not a requirement: {text!r}", _FORM)
    return _bound(parts[1], parts[2])


def requirements_from(table: Mapping[str, str]) -> tuple[Requirement, ...]:
    """``{"latency_p90_ms": "<= 10"}``. Raises UserError."""
    return tuple(_bound(metric, bound) for metric, bound in table.items())


def misses(result: Result, requirements: Sequence[Requirement]) -> tuple[Miss, ...]:
    """The requirements that the result does not meet, or of which nobody can say."""
    found = (_miss(result, requirement) for requirement in requirements)
    return tuple(miss for miss in found if miss is not None)


def _bound(metric: str, bound: str) -> Requirement:
    try:
        return parse_bound(metric, bound)
    except Problem as problem:
        raise UserError(problem.message, f"allowed: {problem.allowed}") from problem


def _miss(result: Result, requirement: Requirement) -> Miss | None:
    name = requirement.metric
    metric = result.metrics.get(name)
    if metric is None or metric.value is None:
        why = metric.reason if metric is not None else "it was not measured"
        return Miss(requirement, f"{name} unavailable ({why}): limit {requirement}", math.inf)
    shown = show_value(metric.value, metric.unit)
    if not metric.valid:
        text = f"{name} {shown} is INVALID ({metric.reason}): limit {requirement}"
        return Miss(requirement, text, math.inf)
    if _HOLDS[requirement.operator](metric.value, requirement.limit):
        return None
    shown = _distinguishable(metric.value, requirement.limit, shown)
    limit = f"{requirement.operator} {requirement.limit:g} {_unit(name)}".rstrip()
    text = f"{name} {shown}, limit {limit}"
    if name == "worst_class_drop":
        text += f" ({worst_class(result)})"
    return Miss(requirement, text, _distance(metric.value, requirement))


def _distinguishable(value: float, limit: float, shown: str) -> str:
    """More digits where rounding would print a missed limit as met."""
    number, _, unit = shown.partition(" ")
    return shown if float(number) != limit or value == limit else f"{value:.9g} {unit}".rstrip()


def _unit(metric: str) -> str:
    unit = METRICS[metric].unit
    return "" if unit == "fraction" else unit


def _distance(value: float, requirement: Requirement) -> float:
    beyond = abs(value - requirement.limit)
    return beyond / abs(requirement.limit) if requirement.limit else beyond
