"""The verdict column: VALID, INVALID with the failed checks, FAILED."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trimtab.measure import robustness
from trimtab.measure.validity import invalidating, speaks_of, warnings
from trimtab.records import Result

Kind = Literal["valid", "invalid", "failed"]
_JUDGED_BY = "latency_p50_ms"


@dataclass(frozen=True)
class Verdict:
    """``text`` says what ``kind`` does, and more."""

    kind: Kind
    text: str


def verdict(result: Result) -> Verdict:
    """On the latency; another figure that is void, and a collapsed class, are named beside it."""
    if result.error is not None:
        return Verdict("failed", f"FAILED: {result.error.failure_class}")
    collapsed = _collapsed(result)
    if not result.valid:
        return Verdict("invalid", f"INVALID: {_why_invalid(result)}{collapsed}")
    text = "VALID"
    void = [name for name, metric in result.metrics.items() if not metric.valid]
    if void:
        text += f", but not {', '.join(void)}"
    text += collapsed
    told = {robustness.CHECK_NAME} if collapsed else set()
    count = sum(check.name not in told for check in warnings(result.checks))
    if count:
        text += f", {count} warning{'s' * (count != 1)}"
    return Verdict("valid", text)


def _collapsed(result: Result) -> str:
    """``, class 3 collapsed``, or nothing."""
    fallen = result.robustness.collapsed if result.robustness is not None else ()
    if not fallen:
        return ""
    who = f"class {fallen[0].label}" if len(fallen) == 1 else f"{len(fallen)} classes"
    return f", {who} collapsed"


def _why_invalid(result: Result) -> str:
    failed = [check for check in invalidating(result.checks) if speaks_of(check, _JUDGED_BY)]
    if failed:
        return ", ".join(check.name for check in failed)
    metric = result.metrics.get(_JUDGED_BY)
    return (metric.reason if metric is not None else None) or "no latency was measured"
