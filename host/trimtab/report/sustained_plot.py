"""The curve of a sustained load as a plot: latency over time, temperature and frequency below."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trimtab.measure.sustained import Curve, sentence
from trimtab.report.plot import Point
from trimtab.report.stacked_plot import stacked_div, stacked_figure
from trimtab.report.sustained_view import curves_of, sensor_gaps, title

_TOP_PX, _BELOW_PX, _MARGIN_PX = 240, 110, 36
_P50, _P90, _HEAT, _CLOCK, _MARK = "#0072b2", "#56b4e9", "#d55e00", "#009e73", "#cc79a7"
_IN_MINUTES_BEYOND_S = 180.0


@dataclass(frozen=True)
class CurvePlot:
    """``div`` is plotly's own markup, without plotly.js where it is on the page already."""

    title: str
    sentence: str
    unavailable: tuple[str, ...]
    div: str


def curve_plots(points: Sequence[Point], has_plotly: bool) -> list[CurvePlot]:
    """One a repeat under a sustained load, in the order of the results."""
    plots: list[CurvePlot] = []
    for point in points:
        found = [each for each in curves_of(point.result) if isinstance(each, Curve)]
        for number, each in enumerate(found, start=1):
            repeat = f", repeat {number}" if len(found) > 1 else ""
            plots.append(
                CurvePlot(
                    f"{point.number}. {title(point.result, each)}{repeat}",
                    sentence(each),
                    sensor_gaps(each),
                    _div(each, f"sustained-{point.number}-{number}", has_plotly or bool(plots)),
                )
            )
    return plots


def _div(found: Curve, name: str, has_plotly: bool) -> str:
    below = [
        (unit, colour, values)
        for unit, colour, values in (
            ("°C", _HEAT, [each.temperature_c for each in found.intervals]),
            ("MHz", _CLOCK, [each.frequency_mhz for each in found.intervals]),
        )
        if any(value is not None for value in values)
    ]
    heights = [float(_TOP_PX), *(float(_BELOW_PX) for _ in below)]
    figure = stacked_figure(heights)
    scale, unit = (60.0, "min") if found.duration_s > _IN_MINUTES_BEYOND_S else (1.0, "s")
    middles = [(each.start_s + each.end_s) / 2 / scale for each in found.intervals]
    _add(figure, 1, "p90", _P90, middles, [each.p90_ms for each in found.intervals])
    _add(figure, 1, "p50", _P50, middles, [each.p50_ms for each in found.intervals])
    for row, (label, colour, values) in enumerate(below, start=2):
        _add(figure, row, label, colour, middles, values)
        figure.update_yaxes(title_text=label, row=row, col=1)
    figure.update_yaxes(title_text="ms", rangemode="tozero", row=1, col=1)
    figure.update_xaxes(title_text=unit, row=len(heights), col=1)
    _mark(figure, found, scale)
    return stacked_div(figure, heights, name, _MARGIN_PX, not has_plotly)


def _add(
    figure: Any,
    row: int,
    name: str,
    colour: str,
    middles: Sequence[float],
    values: Sequence[float | None],
) -> None:
    import plotly.graph_objects as go

    trace = go.Scatter(
        name=name,
        x=list(middles),
        y=list(values),
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"color": colour, "size": 5},
    )
    figure.add_trace(trace, row=row, col=1)
    if row == 1 and values and values[-1] is not None:
        figure.add_annotation(
            text=name, x=middles[-1], y=values[-1], font={"color": colour}, xanchor="left",
            xshift=6, yanchor="bottom" if name == "p90" else "top", showarrow=False, row=1, col=1,
        )  # fmt: skip


def _mark(figure: Any, found: Curve, scale: float) -> None:
    """Where throttling set in, and the last third with its median."""
    third = [found.duration_s * 2 / 3 / scale, found.duration_s / scale]
    figure.add_shape(
        type="line", x0=third[0], x1=third[1], y0=found.sustained_p50_ms,
        y1=found.sustained_p50_ms, line={"color": _P50, "dash": "dot", "width": 1}, row=1, col=1,
    )  # fmt: skip
    if found.throttling is not None:
        line = {"color": _MARK, "width": 2, "dash": "dash"}
        figure.add_vline(x=found.throttling.from_s / scale, line=line)
        figure.add_annotation(
            text=f"throttling: {html.escape(found.throttling.seen)}",
            x=found.throttling.from_s / scale, xref="x", y=1, yref="paper", yanchor="bottom",
            xanchor="left" if found.throttling.from_s < found.duration_s / 2 else "right",
            showarrow=False, font={"color": _MARK},
        )  # fmt: skip
