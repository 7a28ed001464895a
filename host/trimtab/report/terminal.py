"""Results and decision on a terminal; nothing is told by colour alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, overload

from rich import box
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from trimtab.decide.labels import chosen_label
from trimtab.plain_text import printable as printable
from trimtab.records import Decision, DeviceDecision, Result
from trimtab.report.tables import FIGURE_TITLES, Cell, Row, results_table

_STYLES = {"valid": "green", "invalid": "yellow", "failed": "red"}
_ONE_LINE_WIDTH = 118
_FILE_WIDTH = 120


def print_results(results: Sequence[Result], console: Console | None = None) -> None:
    target = console or _default_console()
    target.print(results_view(results, target.width))


def print_decision(
    decision: Decision, results: Sequence[Result], console: Console | None = None
) -> None:
    """``results`` are the run's, for the names that tell the candidates apart."""
    (console or _default_console()).print(decision_view(decision, results))


def results_view(results: Sequence[Result], width: int) -> RenderableType:
    """Where it is narrow, an interval stands below its figure."""
    content = results_table(results)
    stacked = width < _ONE_LINE_WIDTH
    rows = [_cells(row, stacked) for row in content.rows]
    columns = [name.replace(" ", "\n") if stacked else name for name in content.columns]
    if stacked:
        position = content.columns.index("format")
        columns = _merged(columns, position)
        rows = [_merged(cells, position) for cells in rows]
    table = _bare_table()
    for name in columns:
        is_figure = name.replace("\n", " ") in FIGURE_TITLES
        justify: JustifyMethod = "right" if is_figure else "left"
        table.add_column(name, justify=justify, no_wrap=is_figure, overflow="fold", min_width=6)
    for cells in rows:
        table.add_row(*cells)
    notes = [Text(printable(note), style="dim") for note in content.notes]
    return Group(table, Text(), *notes)


def decision_view(decision: Decision, results: Sequence[Result]) -> RenderableType:
    limits = ", ".join(str(each) for each in decision.requirements) or "none"
    parts: list[RenderableType] = [Text(f"Requirements: {limits}", style="dim")]
    for each in decision.devices:
        parts.append(Text())
        parts.extend(_device_view(each, results))
    return Group(*parts)


def _default_console() -> Console:
    """A file or a pipe has no width of its own: give it room."""
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        return Console(width=_FILE_WIDTH)
    return console


@overload
def _merged(line: list[str], position: int) -> list[str]: ...
@overload
def _merged(line: list[Text], position: int) -> list[Text]: ...
def _merged(line: list[Any], position: int) -> list[Any]:
    """The cell at ``position`` below the one before it."""
    below = line[position - 1] + "\n" + line[position]
    return [*line[: position - 1], below, *line[position + 1 :]]


def _cells(row: Row, stacked: bool) -> list[Text]:
    *figures, last = row.cells
    return [
        *(_cell(each, stacked) for each in figures),
        Text(printable(last.text), style=_STYLES[row.kind]),
    ]


def _cell(cell: Cell, stacked: bool) -> Text:
    text = Text(printable(cell.text), style="yellow" if cell.void else "")
    if cell.interval:
        text.append("\n" if stacked else " ")
        text.append(cell.interval, style="dim")
    return text


def _device_view(decided: DeviceDecision, results: Sequence[Result]) -> list[RenderableType]:
    device = printable(decided.device.name)
    label = printable(chosen_label(decided, results))
    headline = Text(f"{device}: ", style="bold")
    if label:
        headline.append(f"ship {label}", style="bold green")
    else:
        headline.append("nothing to ship", style="bold red")
    parts: list[RenderableType] = [
        headline,
        Padding(Text(printable(decided.reason)), (0, 0, 0, 2)),
        *(
            Padding(Text(f"WARNING: {printable(each)}", style="yellow"), (0, 0, 0, 2))
            for each in decided.warnings
        ),
        Padding(Text(f"objective: {printable(decided.objective_used)}", "dim"), (0, 0, 0, 2)),
    ]
    if decided.not_chosen:
        parts.append(Padding(_why_not_table(decided), (0, 0, 0, 2)))
    return parts


def _bare_table() -> RichTable:
    return RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)


def _why_not_table(decided: DeviceDecision) -> RichTable:
    table = _bare_table()
    table.add_column("not chosen")
    table.add_column("because", overflow="fold")
    for each in decided.not_chosen:
        table.add_row(Text(printable(each.label)), Text(printable(each.reason)))
    return table
