"""Memory in detail: what the one column of the results' table has no room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.measure.memory import file_backed_share
from trimtab.measure.wording import decimals
from trimtab.records import Metric, Result

_COLUMNS = {
    "memory_runtime_mb": "runtime",
    "memory_model_mb": "model",
    "memory_model_file_mb": "of it files",
    "memory_load_peak_mb": "load peak",
    "memory_loaded_mb": "loaded",
    "memory_inference_mb": "inference",
    "memory_peak_mb": "peak",
    "memory_peak_file_mb": "of it files",
    "memory_peak_anon_mb": "the rest",
    "memory_retained_mb": "retained",
    "memory_arena_mb": "arena",
    "memory_accelerator_mb": "accelerator",
}
_MISSING = "–"
_LARGE_SHARE = 0.25


@dataclass(frozen=True)
class MemoryTable:
    """``rows``: a candidate and its figures. ``notes``: why some are missing."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...]


def memory_table(results: Sequence[Result], labels: Sequence[str]) -> MemoryTable:
    """Without a row where no memory was measured."""
    measured = [
        (label, result.metrics)
        for label, result in zip(labels, results, strict=True)
        if any(_value(result.metrics.get(name)) is not None for name in _COLUMNS)
    ]
    rows = tuple(
        (label, tuple(_cell(metrics.get(name)) for name in _COLUMNS)) for label, metrics in measured
    )
    reasons = dict.fromkeys(
        f"{name} unavailable: {metric.reason}"
        for name in _COLUMNS
        for _, metrics in measured
        if (metric := metrics.get(name)) is not None and metric.value is None
    )
    return MemoryTable(tuple(_COLUMNS.values()), rows, tuple(reasons))


def file_backed_notes(results: Sequence[Result]) -> list[str]:
    """A line for each result a large part of whose peak are weights that can be evicted."""
    return [
        f"of {result.label}'s peak of {_cell(result.metrics['memory_peak_mb'])} MB, "
        f"{_cell(result.metrics['memory_peak_file_mb'])} MB are pages of files (mapped weights, "
        "libraries): a device short of memory can evict them"
        for result in results
        if (file_backed_share(result.metrics) or 0.0) >= _LARGE_SHARE
    ]


def _cell(metric: Metric | None) -> str:
    value = _value(metric)
    if metric is None or value is None:
        return _MISSING
    return f"{value:.{decimals(value, metric.unit)}f}"


def _value(metric: Metric | None) -> float | None:
    return metric.value if metric is not None else None
