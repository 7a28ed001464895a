"""Figures as people read them: three significant digits, four decimals for fractions."""

from __future__ import annotations

import math

from trimtab.records import Metric

_SIGNIFICANT = 3
_FRACTION_DECIMALS = 4
_MOST_DECIMALS = 9
_MINUTE_S = 60


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


def show_duration(seconds: float) -> str:
    """``4 min 10 s``, ``10 min``, ``0.5 s``; below a minute with up to two decimals."""
    if seconds < _MINUTE_S:
        return f"{round(seconds, 2):g} s"
    minutes, rest = divmod(round(seconds), _MINUTE_S)
    hours, minutes = divmod(minutes, _MINUTE_S)
    parts = {"h": hours, "min": minutes, "s": rest}
    return " ".join(f"{count} {unit}" for unit, count in parts.items() if count)


def decimals(value: float, unit: str) -> int:
    if unit == "fraction":
        return _FRACTION_DECIMALS
    if value == 0 or not math.isfinite(value):
        return 0
    magnitude = math.floor(math.log10(abs(value)))
    return min(_MOST_DECIMALS, max(0, _SIGNIFICANT - 1 - magnitude))
