"""The [require] and [prefer] tables: metrics by name, limits that can be met."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Literal, cast

from trimtab.metrics import METRICS, MetricInfo
from trimtab.project.model import DEFAULT_OBJECTIVE, PreferTable
from trimtab.project.problem import Problem, unknown
from trimtab.records import Objective, Requirement

Operator = Literal["<=", ">=", "<", ">"]
_BOUND = re.compile(r"\s*(<=|>=|<|>)\s*(\S+)\s*")
_FORM = 'a limit such as "<= 5", with <=, <, >= or >'


def parse_requirement(metric: str, bound: str) -> Requirement:
    """``latency_p90_ms``, ``<= 5``. Raises Problem; its path is the metric's name."""
    if metric not in METRICS:
        raise Problem((metric,), *unknown("metric", metric, METRICS))
    match = _BOUND.fullmatch(bound)
    limit = _number(match[2]) if match else None
    if match is None or limit is None:
        raise Problem((metric,), f'{metric} is "{bound}"', _FORM)
    requirement = Requirement(metric, cast(Operator, match[1]), limit)
    if not _can_be_met(requirement, METRICS[metric]):
        raise Problem(
            (metric,), f"{requirement} can never be met", f"{metric} {_range(METRICS[metric])}"
        )
    return requirement


def requirements(tables: Mapping[str, str | tuple[str, ...]]) -> tuple[Requirement, ...]:
    """Raises Problem, also where the bounds of one metric contradict each other."""
    found: list[Requirement] = []
    for metric, bounds in tables.items():
        texts = (bounds,) if isinstance(bounds, str) else bounds
        parsed = [parse_requirement(metric, text) for text in texts]
        _check_together(metric, parsed)
        found.extend(parsed)
    return tuple(found)


def objective(table: PreferTable) -> Objective:
    """Raises Problem."""
    for key, metric in table.model_dump(exclude_none=True).items():
        if metric not in METRICS:
            raise Problem((key,), *unknown("metric", metric, METRICS))
    if table.minimize and table.maximize:
        raise Problem(("maximize",), "both minimize and maximize are given", "one of the two")
    if table.minimize:
        return Objective(table.minimize, "minimize", table.otherwise)
    if table.maximize:
        return Objective(table.maximize, "maximize", table.otherwise)
    if table.otherwise:
        raise Problem(("otherwise",), "otherwise stands alone", "minimize or maximize beside it")
    return DEFAULT_OBJECTIVE


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _can_be_met(requirement: Requirement, info: MetricInfo) -> bool:
    limit = requirement.limit
    if requirement.operator in ("<=", "<"):
        bound, is_open = info.lower_bound, info.open_lower
        beyond = bound is not None and limit < bound
    else:
        bound, is_open = info.upper_bound, info.open_upper
        beyond = bound is not None and limit > bound
    excluded = limit == bound and (is_open or requirement.operator in ("<", ">"))
    return not (beyond or excluded)


def _range(info: MetricInfo) -> str:
    low, high = info.lower_bound, info.upper_bound
    if low is not None and high is not None:
        return f"lies between {low:g} and {high:g}"
    return f"is more than {low:g}" if info.open_lower else f"is at least {low:g}"


def _check_together(metric: str, parsed: list[Requirement]) -> None:
    highest = min((r for r in parsed if r.operator[0] == "<"), key=_limit, default=None)
    lowest = max((r for r in parsed if r.operator[0] == ">"), key=_limit, default=None)
    if highest is None or lowest is None:
        return
    touching_is_open = "=" not in highest.operator or "=" not in lowest.operator
    apart = lowest.limit > highest.limit
    if apart or (lowest.limit == highest.limit and touching_is_open):
        raise Problem(
            (metric,), f"{lowest} and {highest} contradict each other", "bounds that leave a range"
        )


def _limit(requirement: Requirement) -> float:
    return requirement.limit
