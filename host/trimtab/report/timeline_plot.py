"""A time line as a plot: latency above, power, temperature and clock below, on one axis."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from trimtab.report.plot import Point
from trimtab.report.stacked_plot import stacked_div, stacked_figure
from trimtab.report.timeline import Line, Timeline, timeline_of

_TOP_PX, _BELOW_PX, _MARGIN_PX = 160, 100, 16
_COLOURS = {"ms": "#0072b2", "W": "#e69f00", "°C": "#d55e00", "MHz": "#009e73"}
_SHADES = ("#e69f00", "#cc79a7", "#56b4e9", "#009e73", "#0072b2", "#d55e00")
_SPAN_COLOUR = {"measure": "#0072b2", "idle": "#888888"}


@dataclass(frozen=True)
class TimelinePlot:
    title: str
    div: str


def timeline_plots(points: Sequence[Point], has_plotly: bool) -> list[TimelinePlot]:
    """One a result that has something to show, in the order of the results."""
    plots: list[TimelinePlot] = []
    for point in points:
        found = timeline_of(point.result)
        if found is not None:
            div = _div(found, f"timeline-{point.number}", has_plotly or bool(plots))
            plots.append(TimelinePlot(f"{point.number}. {found.title}", div))
    return plots


def _div(found: Timeline, name: str, has_plotly: bool) -> str:
    rows = [(unit, list(lines)) for unit, lines in groupby(found.sensors, lambda each: each.unit)]
    heights = [float(_TOP_PX), *(float(_BELOW_PX) for _ in rows)]
    figure = stacked_figure(heights)
    _add(figure, 1, found.latency, _COLOURS["ms"], "markers")
    figure.update_yaxes(title_text="ms", rangemode="tozero", row=1, col=1)
    for row, (unit, lines) in enumerate(rows, start=2):
        for index, line in enumerate(lines):
            colour = _COLOURS[unit] if len(lines) == 1 else _SHADES[index % len(_SHADES)]
            _add(figure, row, line, colour, "lines")
        figure.update_yaxes(title_text=unit, row=row, col=1)
    for span in found.spans:
        figure.add_vrect(
            x0=span.begin_s, x1=span.end_s, fillcolor=_SPAN_COLOUR[span.phase], opacity=0.10,
            line_width=0,
        )  # fmt: skip
    figure.update_xaxes(title_text="s", row=len(heights), col=1)
    return stacked_div(figure, heights, name, _MARGIN_PX, not has_plotly)


def _add(figure: Any, row: int, line: Line, colour: str, mode: str) -> None:
    import plotly.graph_objects as go

    figure.add_trace(
        go.Scatter(
            name=html.escape(line.name),
            x=np.round(line.seconds, 4).tolist(),
            y=[None if np.isnan(each) else float(f"{each:.6g}") for each in line.values],
            mode=mode,
            connectgaps=False,
            line={"color": colour, "width": 1.5},
            marker={"color": colour, "size": 3, "opacity": 0.6},
        ),
        row=row,
        col=1,
    )
