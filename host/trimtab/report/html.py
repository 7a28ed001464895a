"""The report: one HTML page that needs no network."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from trimtab.records import Run, UserError
from trimtab.report.diagnostics_view import COLUMNS
from trimtab.report.layers_chart import layer_charts
from trimtab.report.origin_view import facts_view, made_pairs
from trimtab.report.page import build_page
from trimtab.report.plot import plot_html
from trimtab.report.sustained_plot import curve_plots
from trimtab.report.timeline_plot import timeline_plots
from trimtab.whole_files import write_whole


def write_report(run: Run, path: Path) -> None:
    """Raises UserError where the file cannot be written; it is never left half-written."""
    text = render_report(run)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror})", "name another file to write to"
        ) from error


def render_report(run: Run) -> str:
    """Everything that came from users or devices is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("trimtab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = build_page(run)
    plot = Markup(plot_html(page.points))  # noqa: S704 - plotly's own markup, its texts escaped
    curves = [
        {**vars(each), "div": Markup(each.div)}  # noqa: S704 - as above
        for each in curve_plots(page.points, has_plotly=bool(plot))
    ]
    timelines = [
        {**vars(each), "div": Markup(each.div)}  # noqa: S704 - as above
        for each in timeline_plots(page.points, has_plotly=bool(plot) or bool(curves))
    ]
    layers = [
        {**vars(each), "div": Markup(each.div)}  # noqa: S704 - as above
        for each in layer_charts(run.variants, has_plotly=bool(plot or curves or timelines))
    ]
    template = environment.get_template("report.html.j2")
    return template.render(
        page=page,
        plot=plot,
        curves=curves,
        timelines=timelines,
        layers=layers,
        diagnostics_columns=COLUMNS,
        facts=facts_view(run.variants),
        made_pairs=partial(made_pairs, variants=run.variants),
    )
