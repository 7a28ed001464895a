"""Operators' times from OpenVINO's own counters (PERF_COUNT)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trimtab_agent.runtimes.operators import Operator, OperatorProfile

_US_TO_NS = 1000
_SOURCE = "OpenVINO's counters: means over all inferences of the profile, in whole microseconds"


def read_counters(counters: Iterable[Any], device: str) -> OperatorProfile:
    """What was fused into another or took less than a microsecond counts as not run, and is left.

    The counters are means that cannot be told apart by inference.
    """
    operators = tuple(
        Operator(
            str(each.node_type),
            str(each.node_name),
            f"{device} ({each.exec_type})" if each.exec_type else device,
            1,
            round(each.real_time.total_seconds() * 1e6) * _US_TO_NS,
        )
        for each in counters
        if str(each.status).endswith(".EXECUTED")
    )
    if not operators:
        return OperatorProfile((), "each operator took less than the microsecond OpenVINO counts")
    return OperatorProfile(operators, source=_SOURCE)
