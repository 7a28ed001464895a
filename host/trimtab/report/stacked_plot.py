"""Plots that stand below each other on one axis of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def stacked_figure(heights: Sequence[float]) -> Any:
    """``heights``: of each row, in pixels."""
    from plotly.subplots import make_subplots

    return make_subplots(
        rows=len(heights),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.05,
        row_heights=list(heights),
    )


def stacked_div(figure: Any, heights: Sequence[float], name: str, top_px: int, plotly: bool) -> str:
    """Markup under the id ``name``; ``plotly``: with plotly.js in it."""
    figure.update_layout(
        height=int(sum(heights)) + top_px + 54,
        margin={"l": 64, "r": 16, "t": top_px, "b": 48},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13},
        showlegend=False,
        hovermode="x unified",
    )
    config = {"displayModeBar": False, "responsive": True}
    return str(figure.to_html(full_html=False, include_plotlyjs=plotly, config=config, div_id=name))
