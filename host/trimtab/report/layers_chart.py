"""A chart of layers: what each one costs when it alone is int8, coloured by what it got."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trimtab.records import LayerChoice, Variant

_ROW_PX, _MARGIN_PX, _FEWEST_PX = 19, 110, 220
_LONGEST_NAME = 40
# As in the other plots: told apart by people with colour blindness (Okabe and Ito).
_COLOURS = {"int8": "#0072b2", "int16": "#009e73", "float": "#d55e00"}


@dataclass(frozen=True)
class LayerChart:
    """``div`` is plotly's own markup; ``kept`` says why each layer is not int8."""

    title: str
    summary: str
    kept: tuple[str, ...]
    div: str


def layer_charts(variants: Sequence[Variant], has_plotly: bool) -> list[LayerChart]:
    """One for each variant whose layers were chosen one by one.

    ``has_plotly``: plotly.js is on the page already.
    """
    charts: list[LayerChart] = []
    for variant in variants:
        if variant.layers:
            name = f"layers-{len(charts)}"
            div = _div(variant.layers, name, has_plotly or bool(charts))
            charts.append(
                LayerChart(
                    f"{variant.name} ({variant.format})",
                    _summary(variant.layers),
                    tuple(
                        f"{each.name}: {each.precision}, {each.reason}"
                        for each in variant.layers
                        if each.precision != "int8"
                    ),
                    div,
                )
            )
    return charts


def _summary(layers: Sequence[LayerChoice]) -> str:
    counts = {name: sum(each.precision == name for each in layers) for name in _COLOURS}
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    weights = sum(each.weight_bytes for each in layers)
    int8 = sum(each.weight_bytes for each in layers if each.precision != "float")
    share = f"; {int8 / weights:.1%} of the weights are int8" if weights else ""
    return f"{len(layers)} layers: {told}{share}."


def _div(layers: Sequence[LayerChoice], name: str, has_plotly: bool) -> str:
    from plotly.subplots import make_subplots

    has_answers = any(each.changed is not None for each in layers)
    figure = make_subplots(
        rows=1, cols=2 if has_answers else 1, shared_yaxes=True, horizontal_spacing=0.04
    )
    for precision, colour in _COLOURS.items():
        own = [each for each in layers if each.precision == precision]
        if own:
            figure.add_trace(_bars(own, precision, colour, [e.sqnr_db for e in own]), 1, 1)
        if own and has_answers:
            changed = [None if e.changed is None else 100 * e.changed for e in own]
            figure.add_trace(_bars(own, precision, colour, changed, in_legend=False), 1, 2)
    figure.update_xaxes(title_text="SQNR alone in int8, dB", row=1, col=1)
    if has_answers:
        figure.update_xaxes(title_text="answers changed, %", rangemode="tozero", row=1, col=2)
    _lay_out(figure, layers)
    return str(
        figure.to_html(
            full_html=False,
            include_plotlyjs=not has_plotly,
            config={"displayModeBar": False, "responsive": True},
            div_id=name,
        )
    )


def _bars(
    layers: Sequence[LayerChoice],
    precision: str,
    colour: str,
    lengths: Sequence[float | None],
    in_legend: bool = True,
) -> Any:
    import plotly.graph_objects as go

    return go.Bar(
        name=precision,
        legendgroup=precision,
        showlegend=in_legend,
        orientation="h",
        y=[html.escape(each.name) for each in layers],
        x=list(lengths),
        marker={"color": colour},
        hovertext=[_hover(each) for each in layers],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _hover(layer: LayerChoice) -> str:
    lines = [
        f"<b>{html.escape(layer.name)}</b> ({html.escape(layer.operator)})",
        f"{layer.precision}{f': {html.escape(layer.reason)}' if layer.reason else ''}",
        f"{layer.sqnr_db:.1f} dB alone in int8",
    ]
    if layer.changed is not None:
        lines.append(f"{layer.changed:.2%} of answers changed")
    lines.append(f"{layer.weight_bytes:,} bytes of float weights")
    if layer.saved_ms is not None:
        lines.append(f"int8 saves {layer.saved_ms:.3g} ms of it")
    return "<br>".join(lines)


def _lay_out(figure: Any, layers: Sequence[LayerChoice]) -> None:
    """The first layer of the file on top."""
    names = [html.escape(each.name) for each in layers]
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=names,
        autorange="reversed",
        tickmode="array",
        tickvals=names,
        ticktext=[_shortened(each.name) for each in layers],
        automargin=True,
    )
    figure.update_layout(
        barmode="overlay",
        height=max(_FEWEST_PX, _ROW_PX * len(layers) + _MARGIN_PX),
        margin={"l": 16, "r": 16, "t": 36, "b": 48},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 12},
        hoverlabel={"align": "left"},
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"},
        showlegend=True,
    )


def _shortened(name: str) -> str:
    """The end of a long name tells more than its beginning."""
    return html.escape(name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}")
