"""The table of results as plain text cells, for every kind of output to lay out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from trimtab.decide.collapse import collapse_warning
from trimtab.measure.validity import FILE_METRICS
from trimtab.measure.wording import decimals, show_interval
from trimtab.records import Metric, Result, UserError
from trimtab.report.agreement_notes import agreement_notes
from trimtab.report.best_setting import best_setting_notes
from trimtab.report.energy_view import energy_notes
from trimtab.report.memory_view import file_backed_notes
from trimtab.report.scenario import scenario_notes
from trimtab.report.verdict import Kind, verdict

MISSING = "–"
_TITLES = {
    "latency_p50_ms": "p50 ms",
    "latency_p90_ms": "p90 ms",
    "latency_sustained_ms": "sustained ms",
    "memory_peak_mb": "peak MB",
    "size_mb": "size MB",
    "accuracy": "accuracy",
    "energy_mj": "energy mJ",
    "energy_net_mj": "net mJ",
    "power_mean_w": "power W",
}
FIGURE_TITLES = frozenset(_TITLES.values())
# One of these without a value anywhere loses its column, and its reason becomes a note.
_OPTIONAL = ("accuracy", "energy_mj", "energy_net_mj", "power_mean_w", "latency_sustained_ms")
# Missing together, they are missing for one reason.
_WITH_ENERGY = ("energy_net_mj", "power_mean_w")
_UNASKED = ("latency_sustained_ms",)  # of those, what no note speaks of: it was not asked for
_FRACTION_DECIMALS = 3  # a table is narrow; the report's text has one more
_WITH_INTERVAL = (
    *("latency_p50_ms", "latency_sustained_ms", "accuracy"),
    *("energy_mj", "energy_net_mj"),
)


@dataclass(frozen=True)
class Cell:
    """``interval`` is "" or ``[0.0305, 0.0320]``; ``void``: the figure is INVALID."""

    text: str
    interval: str = ""
    void: bool = False
    is_figure: bool = False

    @property
    def line(self) -> str:
        return f"{self.text} {self.interval}".rstrip()


@dataclass(frozen=True)
class Row:
    result: Result
    cells: tuple[Cell, ...]
    kind: Kind


@dataclass(frozen=True)
class Table:
    """``notes`` say what the cells have no room for: why a figure is missing."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = field(default=())


def results_table(results: Sequence[Result]) -> Table:
    """Candidates in their order; a column that would say the same in each row is left out."""
    names = {
        "device": [result.device.name for result in results],
        "candidate": [result.variant or result.artifact.name for result in results],
        "format": [result.artifact.format for result in results],
        "runtime": [result.settings.runtime for result in results],
        "accelerator": [
            result.accelerator_used or result.settings.accelerator for result in results
        ],
        "threads": [str(result.settings.threads) for result in results],
    }
    shown = [name for name in names if name in ("candidate", "format") or _differs(names, name)]
    figures = [name for name in _TITLES if _has_column(name, results)]
    rows = tuple(
        Row(
            result,
            (
                *(Cell(names[name][index]) for name in shown),
                *(_figure_cell(name, result) for name in figures),
                Cell(verdict(result).text),
            ),
            verdict(result).kind,
        )
        for index, result in enumerate(results)
    )
    columns = (*shown, *(_TITLES[name] for name in figures), "verdict")
    return Table(columns, rows, tuple(_notes(results, figures)))


def render(results: Sequence[Result], output: str) -> str:
    """``output``: csv or markdown. Raises UserError for any other."""
    from trimtab.report import text_formats

    if output == "csv":
        return text_formats.csv_text(results)
    if output == "markdown":
        return text_formats.markdown_text(results_table(results))
    raise UserError(f"unknown format {output}", "csv, markdown, json or table")


def _differs(names: dict[str, list[str]], name: str) -> bool:
    """The runtime is told by the format where each format has only one."""
    values = names[name]
    if name == "runtime":
        return len(set(zip(names["format"], values, strict=True))) > len(set(names["format"]))
    return len(set(values)) > 1


def _has_column(name: str, results: Sequence[Result]) -> bool:
    return name not in _OPTIONAL or any(_value(result, name) is not None for result in results)


def _value(result: Result, name: str) -> float | None:
    metric = result.metrics.get(name)
    return metric.value if metric is not None else None


def _figure_cell(name: str, result: Result) -> Cell:
    metric = result.metrics.get(name)
    if metric is None or metric.value is None:
        return Cell(MISSING, is_figure=True)
    is_fraction = metric.unit == "fraction"
    places = _FRACTION_DECIMALS if is_fraction else decimals(metric.value, metric.unit)
    number = f"{metric.value:.{places}f}"
    if metric.provenance == "estimated":
        number = f"~{number}"
    void = not metric.valid
    interval = show_interval(metric, places) if name in _WITH_INTERVAL else ""
    return Cell(f"! {number}" if void else number, interval, void, is_figure=True)


def _notes(results: Sequence[Result], figures: Sequence[str]) -> list[str]:
    notes = _runtime_notes(results)
    if any(not metric.valid for result in results for metric in result.metrics.values()):
        notes.append("! an INVALID figure: it takes no part in decisions")
    if any(_value(result, name) is not None for result in results for name in figures):
        notes.append("[low, high]: 95 % interval")
    unsaid = _UNASKED if "energy_mj" in figures else (*_UNASKED, *_WITH_ENERGY)
    absent = [each for each in _OPTIONAL if each not in (*figures, *unsaid)]
    for name in (*figures, *absent):
        notes.extend(_missing_notes(name, results))
    return [
        *notes,
        *energy_notes(results),
        *file_backed_notes(results),
        *scenario_notes(results),
        *agreement_notes(results),
        *_collapse_notes(results),
        *best_setting_notes(results),
    ]


def _collapse_notes(results: Sequence[Result]) -> list[str]:
    return [
        f"of {result.label} {warning}"
        for result in results
        if (warning := collapse_warning(result))
    ]


def _runtime_notes(results: Sequence[Result]) -> list[str]:
    used = dict.fromkeys(
        f"{result.artifact.format} in {result.settings.runtime} {result.runtime_version}"
        for result in results
        if result.runtime_version
    )
    return [", ".join(used)] if used else []


def _missing_notes(name: str, results: Sequence[Result]) -> list[str]:
    """``accuracy: no evaluation set was given``, once for each reason."""
    if name in FILE_METRICS:
        return []
    missing: list[tuple[Result, Metric]] = [
        (result, result.metrics[name])
        for result in results
        if result.error is None and name in result.metrics and _value(result, name) is None
    ]
    measured = sum(result.error is None for result in results)
    reasons = dict.fromkeys(metric.reason or "no reason given" for _, metric in missing)
    notes = []
    for reason in reasons:
        who = [result.label for result, metric in missing if metric.reason == reason]
        of_whom = "" if len(who) == measured else f" of {', '.join(who)}"
        notes.append(f"{name}{of_whom} unavailable: {reason}")
    return notes
