"""One figure against another, in words."""

from __future__ import annotations

from trimtab.measure.wording import decimals, show, show_value
from trimtab.metrics import METRICS
from trimtab.records import Metric, Objective

_WORSE = {
    "latency": "slower",
    "io": "slower in copying",
    "load": "slower to load",
    "first": "slower at first",
    "throughput": "less throughput",
    "memory": "more memory",
    "energy": "more energy",
    "power": "more power",
    "battery": "worse for the battery",
    "size": "larger",
    "download": "larger to download",
    "speedup": "less speedup",
    "compression": "less compression",
}
_POINTS = {
    "accuracy": "less accurate",
    "accuracy_drop": "more accuracy lost",
    "worst_class_drop": "more accuracy of a class lost",
    "robust_accuracy": "less accurate on corrupted inputs",
}


def objective_text(objective: Objective) -> str:
    return f"{objective.direction} {objective.metric}"


def overlap(first: Metric, second: Metric) -> bool:
    """Whether both have an interval and the two intervals share a point."""
    if first.ci95 is None or second.ci95 is None:
        return False
    return first.ci95[0] <= second.ci95[1] and second.ci95[0] <= first.ci95[1]


def why_worse(objective: Objective, chosen: Metric, chosen_label: str, other: Metric) -> str:
    """``12 % slower than X: 0.0340 ms against 0.0300 ms``, or that no difference was seen."""
    if overlap(chosen, other):
        return (
            f"no difference seen to {chosen_label} in {objective.metric}: {show(other)} against "
            f"{show(chosen)}, the intervals overlap"
        )
    if other.value == chosen.value:
        return f"equal to {chosen_label} in {objective.metric}: {show(other)}"
    no_interval = (
        chosen.provenance == "measured" and _timed(objective) and not _intervals(chosen, other)
    )
    caveat = " (one repeat: no interval to judge by)" if no_interval else ""
    difference = difference_text(objective, chosen, other)
    return f"{difference} than {chosen_label}: {_both(other, chosen)}{caveat}"


def difference_text(objective: Objective, chosen: Metric, other: Metric) -> str:
    """How much worse ``other`` is: ``12 % slower``, ``1.4 points less accurate``."""
    ours, best = other.value or 0.0, chosen.value or 0.0
    as_usual = (objective.direction == "minimize") == (METRICS[objective.metric].better == "lower")
    opposite = "higher" if ours > best else "lower"
    if chosen.unit == "fraction":
        words = _POINTS.get(objective.metric) if as_usual else None
        return f"{abs(ours - best) * 100:.2g} points {words or f'{opposite} {objective.metric}'}"
    words = _WORSE.get(objective.metric.split("_")[0]) if as_usual else None
    words = words or f"{opposite} {objective.metric}"
    if best == 0.0:
        return f"{show_value(abs(ours - best), chosen.unit)} {words}"
    return f"{_percent(abs(ours - best) / abs(best) * 100)} {words}"


def _percent(value: float) -> str:
    return f"{value:.0f} %" if value >= 10 else f"{value:.2g} %"


def _both(first: Metric, second: Metric) -> str:
    """``0.0340 against 0.0300 ms``, with enough digits to tell them apart."""
    values = [metric.value or 0.0 for metric in (first, second)]
    unit = "" if first.unit == "fraction" else first.unit
    shown = [f"{value:.{decimals(value, first.unit)}f}" for value in values]
    if shown[0] == shown[1]:
        shown = [f"{value:.9g}" for value in values]
    return f"{shown[0]} against {shown[1]} {unit}".rstrip()


def _timed(objective: Objective) -> bool:
    return objective.metric.startswith("latency")


def _intervals(*metrics: Metric) -> bool:
    return all(metric.ci95 is not None for metric in metrics)
