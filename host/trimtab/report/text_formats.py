"""Results as CSV (every figure, full precision) and as a Markdown table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from trimtab.metrics import METRICS
from trimtab.records import Metric, Result
from trimtab.report.tables import Table

_LEADING = (
    "device",
    "variant",
    "file",
    "format",
    "runtime",
    "runtime_version",
    "accelerator",
    "threads",
    "batch_size",
    "rate_hz",
    "sustain_s",
    "valid",
    "error",
    "sample_count",
    "process_count",
)
_SUFFIXES = ("", "_lo", "_hi", "_provenance", "_reason")


def csv_text(results: Sequence[Result]) -> str:
    """One row a result; for each metric NAME, NAME_lo, NAME_hi, NAME_provenance, NAME_reason."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*_LEADING, *(name + suffix for name in METRICS for suffix in _SUFFIXES)])
    for result in results:
        figures = [column for name in METRICS for column in _columns(result, name)]
        writer.writerow([*_leading(result), *figures])
    return file.getvalue()


def markdown_text(table: Table) -> str:
    """A table for a pull request or a page; figures stand to the right."""
    lines = [_markdown_row(table.columns)]
    figures = [cell.is_figure for cell in table.rows[0].cells] if table.rows else []
    lines.append(_markdown_row(["--:" if right else "---" for right in figures]))
    lines.extend(_markdown_row([cell.line for cell in row.cells]) for row in table.rows)
    notes = [f"- {_escaped(note)}" for note in table.notes]
    return "\n".join([*lines, *(["", *notes] if notes else []), ""])


def _leading(result: Result) -> list[object]:
    error = result.error
    return [
        result.device.name,
        result.variant or "",
        result.artifact.name,
        result.artifact.format,
        result.settings.runtime,
        result.runtime_version,
        result.accelerator_used or result.settings.accelerator,
        result.settings.threads,
        "" if result.settings.batch_size is None else result.settings.batch_size,
        "" if result.settings.rate_hz is None else result.settings.rate_hz,
        "" if result.settings.sustain_s is None else result.settings.sustain_s,
        str(result.valid).lower(),
        f"{error.failure_class}: {error.message}" if error is not None else "",
        result.sample_count,
        result.process_count,
    ]


def _columns(result: Result, name: str) -> list[object]:
    metric = result.metrics.get(name)
    if metric is None:
        reason = "the arm failed" if result.error is not None else "it was not measured"
        return ["", "", "", "unavailable", reason]
    low, high = metric.ci95 or ("", "")
    value = "" if metric.value is None else metric.value
    return [value, low, high, metric.provenance, _reason(metric)]


def _reason(metric: Metric) -> str:
    reason = metric.reason or ""
    return reason if metric.valid else f"INVALID: {reason}"


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _escaped(text: str) -> str:
    """A name may hold a pipe, a tag or a line break."""
    flat = " ".join(text.split())
    for plain, escaped in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), ("`", "\\`")):
        flat = flat.replace(plain, escaped)
    return flat
