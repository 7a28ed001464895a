"""The diagnostics of a result's samples: as plain data, and as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trimtab.measure.diagnostics import Diagnostics, RepeatDiagnostics, diagnose
from trimtab.measure.stats import Interval
from trimtab.measure.wording import show_value
from trimtab.records import Result

_NS_PER_MS = 1e6
_ABSENT = "–"
COLUMNS = (
    "candidate",
    "repeat",
    "samples",
    "effective",
    "autocorrelation at lag 1",
    "at lag 100",
    "block",
    "p50, ms",
    "p50 within, ms",
    "p90 within, ms",
)
Cells = tuple[str, ...]


def diagnostics_json(result: Result) -> dict[str, Any]:
    """``reason``: why there is nothing; then the figures are null and there are no repeats."""
    found = diagnose(result.raw)
    if isinstance(found, str):
        return {"reason": found, "sample_count": None, "effective_sample_size": None, "repeats": []}
    return {
        "reason": None,
        "sample_count": found.sample_count,
        "effective_sample_size": found.effective_sample_size,
        "repeats": [_repeat_json(each) for each in found.repeats],
    }


def diagnostics_rows(results: Sequence[Result], labels: Sequence[str]) -> tuple[Cells, ...]:
    """A row a repeat, as COLUMNS has it; none for a result without samples."""
    return tuple(
        _row(repeat, label)
        for result, label in zip(results, labels, strict=True)
        if isinstance(found := diagnose(result.raw), Diagnostics)
        for repeat in found.repeats
    )


def _repeat_json(repeat: RepeatDiagnostics) -> dict[str, Any]:
    return {
        "index": repeat.index,
        "sample_count": repeat.sample_count,
        "p50_ms": None if repeat.p50_ns is None else repeat.p50_ns / _NS_PER_MS,
        "rank_autocorrelation": {str(lag): value for lag, value in repeat.autocorrelation.items()},
        "effective_sample_size": repeat.effective_sample_size,
        "block_length": repeat.block_length,
        "within_repeat_ci95_ms": {
            name: None if interval is None else list(_in_ms(interval))
            for name, interval in repeat.within_ci95_ns.items()
        },
        "reason": repeat.reason,
    }


def _row(repeat: RepeatDiagnostics, label: str) -> Cells:
    within = repeat.within_ci95_ns
    return (
        label,
        str(repeat.index + 1),
        str(repeat.sample_count),
        _rounded(repeat.effective_sample_size, 0),
        _rounded(repeat.autocorrelation.get(1), 2),
        _rounded(repeat.autocorrelation.get(100), 2),
        _rounded(repeat.block_length, 0),
        _ABSENT if repeat.p50_ns is None else show_value(repeat.p50_ns / _NS_PER_MS, ""),
        _interval(within.get("p50")),
        _interval(within.get("p90")),
    )


def _rounded(value: float | None, places: int) -> str:
    return _ABSENT if value is None else f"{value:.{places}f}"


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return _ABSENT
    low, high = _in_ms(interval)
    return f"[{show_value(low, '')}, {show_value(high, '')}]"


def _in_ms(interval: Interval) -> Interval:
    return interval[0] / _NS_PER_MS, interval[1] / _NS_PER_MS
