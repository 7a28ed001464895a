"""What the HTML page shows, gathered from a run; the template only lays it out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trimtab.decide.labels import distinct_labels
from trimtab.measure.validity import warnings
from trimtab.measure.wording import show
from trimtab.records import Check, DeviceDecision, DeviceRef, Result, Run, Variant
from trimtab.report.diagnostics_view import Cells, diagnostics_rows
from trimtab.report.energy_view import EnergyTable, energy_table
from trimtab.report.memory_view import MemoryTable, memory_table
from trimtab.report.origin_view import shown_step
from trimtab.report.plot import Point, y_metric_for
from trimtab.report.profile_section import ProfileView, profile_views
from trimtab.report.robustness_view import RobustnessView, robustness_view
from trimtab.report.settings_view import SettingsView, settings_view
from trimtab.report.tables import Row, Table, results_table
from trimtab.store.decisions import position_of

_HEADLINE_METRICS = (
    "latency_p50_ms",
    "latency_p90_ms",
    "latency_sustained_ms",
    "accuracy",
    "accuracy_drop",
    "worst_class_drop",
    "robust_accuracy",
    "speedup",
    "memory_peak_mb",
    "size_mb",
    "compression_ratio",
    "energy_mj",
    "energy_net_mj",
    "power_mean_w",
    "battery_hours",
)


@dataclass(frozen=True)
class NumberedRow:
    number: int
    row: Row
    chosen: bool


@dataclass(frozen=True)
class Finding:
    """A check with the same outcome for several candidates. ``state``: failed, warning, passed."""

    check: Check
    state: str
    who: str


@dataclass(frozen=True)
class DeviceSection:
    """``conditions``: name, value pairs; one that differs between candidates names them."""

    device: DeviceRef
    decision: DeviceDecision | None
    chosen: Result | None
    chosen_label: str
    headline: tuple[tuple[str, str], ...]
    table: Table
    rows: tuple[NumberedRow, ...]
    failures: tuple[tuple[str, str], ...]
    problems: tuple[Finding, ...]
    passed: tuple[Finding, ...]
    diagnostics: tuple[Cells, ...]
    conditions: tuple[tuple[str, str], ...]
    memory: MemoryTable
    energy: EnergyTable
    profiles: tuple[ProfileView, ...]
    robustness: RobustnessView | None


@dataclass(frozen=True)
class Lineage:
    name: str
    variants: tuple[Variant, ...]
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    run: Run
    sections: tuple[DeviceSection, ...]
    points: tuple[Point, ...]
    lineages: tuple[Lineage, ...]
    settings: SettingsView | None

    @property
    def created(self) -> str:
        return self.run.created.replace("T", " ").replace("+00:00", " UTC")

    @property
    def has_profiles(self) -> bool:
        return any(section.profiles for section in self.sections)

    @property
    def has_robustness(self) -> bool:
        return any(section.robustness for section in self.sections)

    @property
    def plot_title(self) -> str:
        is_accuracy = y_metric_for(self.points) == "accuracy"
        return "Accuracy over latency" if is_accuracy else "Size over latency"


def build_page(run: Run) -> Page:
    """Rows are numbered through the whole run, so that the plot can name them."""
    by_device: dict[DeviceRef, list[int]] = {}
    for index, result in enumerate(run.results):
        by_device.setdefault(result.device, []).append(index)
    sections = []
    points: list[Point] = []
    for device, indices in by_device.items():
        section, own = _section(run, device, indices)
        sections.append(section)
        points.extend(own)
    points.sort(key=lambda point: point.number)
    return Page(
        run=run,
        sections=tuple(sections),
        points=tuple(points),
        lineages=_lineages(run.variants),
        settings=settings_view(run.results, [point.label for point in points]),
    )


def _section(
    run: Run, device: DeviceRef, indices: Sequence[int]
) -> tuple[DeviceSection, list[Point]]:
    results = [run.results[index] for index in indices]
    labels = distinct_labels(results)
    decision = _decision_for(run, device)
    chosen = _chosen_index(decision, results)
    points = [
        Point(index + 1, label, result, position == chosen)
        for position, (index, label, result) in enumerate(
            zip(indices, labels, results, strict=True)
        )
    ]
    table = results_table(results)
    section = DeviceSection(
        device=device,
        decision=decision,
        chosen=None if chosen is None else results[chosen],
        chosen_label="" if chosen is None else labels[chosen],
        headline=() if chosen is None else _headline(results[chosen]),
        table=table,
        rows=tuple(
            NumberedRow(point.number, row, point.chosen)
            for point, row in zip(points, table.rows, strict=True)
        ),
        failures=tuple(
            (label, f"{result.error.failure_class}: {result.error.message}")
            for label, result in zip(labels, results, strict=True)
            if result.error is not None
        ),
        problems=_findings(results, labels, ("failed", "warning")),
        passed=_findings(results, labels, ("passed",)),
        diagnostics=diagnostics_rows(results, labels),
        conditions=_conditions(results, labels),
        memory=memory_table(results, labels),
        energy=energy_table(results, labels),
        profiles=profile_views(results, labels),
        robustness=robustness_view(results, labels),
    )
    return section, points


def _decision_for(run: Run, device: DeviceRef) -> DeviceDecision | None:
    devices = run.decision.devices if run.decision is not None else ()
    return next((each for each in devices if each.device == device), None)


def _chosen_index(decision: DeviceDecision | None, results: Sequence[Result]) -> int | None:
    if decision is None or decision.chosen is None:
        return None
    return position_of(decision.chosen, results)


def _headline(chosen: Result) -> tuple[tuple[str, str], ...]:
    figures = ((name, chosen.metrics.get(name)) for name in _HEADLINE_METRICS)
    return tuple(
        (name, show(metric))
        for name, metric in figures
        if metric is not None and metric.value is not None
    )


def _findings(
    results: Sequence[Result], labels: Sequence[str], states: Iterable[str]
) -> tuple[Finding, ...]:
    """Equal checks once, with the candidates they speak of; in the states' order, then by name."""
    seen: dict[tuple[str, Check], list[str]] = {}
    for result, label in zip(results, labels, strict=True):
        for check in result.checks:
            seen.setdefault((_state(check), check), []).append(label)
    measured = sum(bool(result.checks) for result in results)
    names = list(dict.fromkeys(check.name for _, check in seen))
    ranked = sorted(seen.items(), key=lambda item: names.index(item[0][1].name))
    return tuple(
        Finding(check, state, "all" if len(who) == measured > 1 else ", ".join(who))
        for wanted in states
        for (state, check), who in ranked
        if state == wanted
    )


def _state(check: Check) -> str:
    if check.outcome == "failed" and check.invalidates:
        return "failed"
    return "warning" if warnings((check,)) else check.outcome


def _conditions(results: Sequence[Result], labels: Sequence[str]) -> tuple[tuple[str, str], ...]:
    values: dict[str, dict[str, list[str]]] = {}
    for result, label in zip(results, labels, strict=True):
        for name, value in result.conditions.items():
            values.setdefault(name, {}).setdefault(value, []).append(label)
    return tuple((name, _told(by_value)) for name, by_value in values.items())


def _told(by_value: dict[str, list[str]]) -> str:
    if len(by_value) == 1:
        return next(iter(by_value))
    return "; ".join(f"{value} ({', '.join(who)})" for value, who in by_value.items())


def _lineages(variants: Sequence[Variant]) -> tuple[Lineage, ...]:
    by_name: dict[str, list[Variant]] = {}
    for variant in variants:
        by_name.setdefault(variant.name, []).append(variant)
    return tuple(
        Lineage(name, tuple(own), tuple(shown_step(step) for step in own[0].recipe))
        for name, own in by_name.items()
    )
