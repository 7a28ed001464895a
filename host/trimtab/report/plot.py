"""The plot: accuracy over latency, or size over latency where no accuracy was measured."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trimtab.measure.wording import show
from trimtab.metrics import METRICS
from trimtab.records import Metric, Result
from trimtab.report.verdict import verdict

_LATENCY = "latency_p50_ms"
# Told apart by people with colour blindness, on white and on black (Okabe and Ito).
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_HOVER = (
    *(_LATENCY, "latency_p90_ms", "accuracy", "accuracy_drop", "memory_peak_mb"),
    *("energy_mj", "power_mean_w"),
)
_MARKER_PX = 11
_CORNERS = ("top right", "bottom left", "top left", "bottom right")
_NEAR = 0.05
_HEIGHT_PX = 460
_LOG_BEYOND = 8.0
_FEWEST = 2


@dataclass(frozen=True)
class Point:
    """``number`` is the row in the table of results, and stands beside the marker."""

    number: int
    label: str
    result: Result
    chosen: bool


def plot_html(points: Sequence[Point]) -> str:
    """A <div> with its script and plotly.js in it; empty where there is nothing to compare."""
    import plotly.graph_objects as go

    y_metric = y_metric_for(points)
    drawable = [each for each in points if _can_be_drawn(each, y_metric)]
    if len(drawable) < _FEWEST:
        return ""
    corners = _corners(drawable, y_metric)
    figure = go.Figure()
    for index, (name, group) in enumerate(_groups(drawable).items()):
        colour = _COLOURS[index % len(_COLOURS)]
        figure.add_trace(_trace(name, group, y_metric, colour, corners))
    _lay_out(figure, drawable, y_metric)
    config = {"displayModeBar": False, "responsive": True}
    return str(
        figure.to_html(
            full_html=False, include_plotlyjs=True, config=config, div_id="accuracy-over-latency"
        )
    )


def y_metric_for(points: Sequence[Point]) -> str:
    """Size stands in where no accuracy was measured."""
    return "accuracy" if any(_can_be_drawn(each, "accuracy") for each in points) else "size_mb"


def _can_be_drawn(point: Point, y_metric: str) -> bool:
    return _value(point, _LATENCY) is not None and _value(point, y_metric) is not None


def _groups(points: Sequence[Point]) -> dict[str, list[Point]]:
    """One trace a device and format; the device is named where there are several."""
    several = len({each.result.device for each in points}) > 1
    groups: dict[str, list[Point]] = {}
    for each in points:
        model = f"{each.result.artifact.format}, {each.result.settings.runtime}"
        name = f"{each.result.device.name}: {model}" if several else model
        groups.setdefault(name, []).append(each)
    return groups


def _corners(points: Sequence[Point], y_metric: str) -> dict[int, str]:
    """Where each number stands: off the error bars, and in another corner than a neighbour's."""
    extent = [
        max(values) - min(values) or 1.0
        for values in (
            [_value(each, name) or 0.0 for each in points] for name in (_LATENCY, y_metric)
        )
    ]
    corners: dict[int, str] = {}
    for index, point in enumerate(points):
        near = sum(_apart(point, other, y_metric, extent) < _NEAR for other in points[:index])
        corners[point.number] = _CORNERS[near % len(_CORNERS)]
    return corners


def _apart(first: Point, second: Point, y_metric: str, extent: Sequence[float]) -> float:
    """As a share of the plot, along the axis on which they are farther apart."""
    return max(
        abs((_value(first, name) or 0.0) - (_value(second, name) or 0.0)) / length
        for name, length in zip((_LATENCY, y_metric), extent, strict=True)
    )


def _trace(
    name: str, points: Sequence[Point], y_metric: str, colour: str, corners: Mapping[int, str]
) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        name=html.escape(name),
        mode="markers+text",
        x=[_value(each, _LATENCY) for each in points],
        y=[_value(each, y_metric) for each in points],
        error_x=_error_bars(points, _LATENCY, colour),
        error_y=_error_bars(points, y_metric, colour),
        text=[f"<b>{each.number}</b>" if each.chosen else str(each.number) for each in points],
        textposition=[corners[each.number] for each in points],
        textfont={"color": colour, "size": 13},
        hovertext=[_hover(each) for each in points],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={
            "color": colour,
            "size": [_MARKER_PX + 5 if each.chosen else _MARKER_PX for each in points],
            "symbol": [_symbol(each) for each in points],
            "opacity": [0.95 if _is_valid(each, y_metric) else 0.35 for each in points],
            "line": {
                "color": ["#f5c400" if each.chosen else "#ffffff" for each in points],
                "width": [3 if each.chosen else 1 for each in points],
            },
        },
    )


def _symbol(point: Point) -> str:
    return "circle" if point.result.valid else "square"


def _is_valid(point: Point, y_metric: str) -> bool:
    return point.result.valid and point.result.metrics[y_metric].valid


def _error_bars(points: Sequence[Point], name: str, colour: str) -> dict[str, Any]:
    """Asymmetric; none (of no length) where the figure has no interval."""
    above, below = [], []
    for each in points:
        metric = each.result.metrics[name]
        low, high = metric.ci95 or (metric.value, metric.value)
        above.append(max(0.0, (high or 0.0) - (metric.value or 0.0)))
        below.append(max(0.0, (metric.value or 0.0) - (low or 0.0)))
    return {
        "type": "data",
        "symmetric": False,
        "array": above,
        "arrayminus": below,
        "color": colour,
        "thickness": 1.2,
        "width": 4,
    }


def _hover(point: Point) -> str:
    lines = [f"<b>{point.number}. {html.escape(point.label)}</b>"]
    if point.chosen:
        lines.append("chosen")
    for name in _HOVER:
        metric = point.result.metrics.get(name)
        if metric is not None and metric.value is not None:
            lines.append(f"{name}: {show(metric)}{_estimate(metric)}")
    lines.append(html.escape(verdict(point.result).text))
    return "<br>".join(lines)


def _estimate(metric: Metric) -> str:
    return " (estimated)" if metric.provenance == "estimated" else ""


def _lay_out(figure: Any, points: Sequence[Point], y_metric: str) -> None:
    latencies = [value for each in points if (value := _value(each, _LATENCY))]
    wide = bool(latencies) and max(latencies) / min(latencies) > _LOG_BEYOND
    unit = METRICS[y_metric].unit
    figure.update_layout(
        height=_HEIGHT_PX,
        margin={"l": 64, "r": 16, "t": 16, "b": 56},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13},
        hoverlabel={"align": "left"},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        showlegend=True,
    )
    figure.update_xaxes(title_text=f"{_LATENCY}{' (logarithmic)' if wide else ''}")
    if wide:
        ticks = _logarithmic_ticks(min(latencies), max(latencies))
        labels = [f"{each:g}" for each in ticks]
        figure.update_xaxes(type="log", tickmode="array", tickvals=ticks, ticktext=labels)
    figure.update_yaxes(title_text=y_metric if unit in ("", "fraction", "MB") else unit)


def _logarithmic_ticks(lowest: float, highest: float) -> list[float]:
    """1, 2 and 5 of each decade, from the one below to the one above; each a whole label."""
    decades = range(math.floor(math.log10(lowest)), math.ceil(math.log10(highest)) + 1)
    return [float(f"{digit}e{decade}") for decade in decades for digit in (1, 2, 5)]


def _value(point: Point, name: str) -> float | None:
    metric = point.result.metrics.get(name)
    return metric.value if metric is not None else None
