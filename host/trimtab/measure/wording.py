"""Figures as people read them: three significant digits, four decimals for fractions."""

from __future__ import annotations

import math

from trimtab.records import Metric

_SIGNIFICANT = 3
_FRACTION_DECIMALS = 4
_MOST_DECIMALS = 9


def show(metric: Metric) -> str:
    """``0.0312 ms [0.0305, 0.0320]``, or what stands in its place."""
    if metric.value is None:
        return f"unavailable: {metric.reason}"
    text = show_value(metric.value, metric.unit)
    if metric.ci95 is None:
        return text
    return f"{text} {show_interval(metric)}"


def show_value(value: float, unit: str) -> str:
    number = f"{value:.{decimals(value, unit)}f}"
    return f"{number} {unit}" if unit not in ("", "fraction") else number


def show_interval(metric: Metric, places: int | None = None) -> str:
    """``[0.0305, 0.0320]``, as precise as the value itself; empty where there is none."""
    if metric.ci95 is None or metric.value is None:
        return ""
    digits = decimals(metric.value, metric.unit) if places is None else places
    low, high = metric.ci95
    return f"[{low:.{digits}f}, {high:.{digits}f}]"


def decimals(value: float, unit: str) -> int:
    if unit == "fraction":
        return _FRACTION_DECIMALS
    if value == 0 or not math.isfinite(value):
        return 0
    magnitude = math.floor(math.log10(abs(value)))
    return min(_MOST_DECIMALS, max(0, _SIGNIFICANT - 1 - magnitude))
