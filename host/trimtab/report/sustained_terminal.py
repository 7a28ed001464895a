"""The curve of a sustained load on a terminal: a line a quantity, and a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trimtab.measure.sustained import Curve, Interval
from trimtab.measure.wording import decimals, show_duration
from trimtab.records import Result
from trimtab.report.sustained_view import curves_of, sensor_gaps, title
from trimtab.report.terminal import printable

MOST_ROWS = 12
_COLUMNS = ("from", "p50 ms", "p90 ms", "°C", "MHz")
_BARS = "▁▂▃▄▅▆▇█"
_MISSING = "–"
_LEAST_SPAN = 0.1  # of the highest: a smaller one would show noise as if it were a course


def print_sustained(results: Sequence[Result], console: Console) -> None:
    """The curve of each result that was under a sustained load; nothing for the others."""
    for result in results:
        found = curves_of(result)
        for number, each in enumerate(found, start=1):
            repeat = f", repeat {number}" if len(found) > 1 else ""
            if isinstance(each, Curve):
                _print(title(result, each) + repeat, each, console)


def curve_rows(found: Curve) -> list[tuple[str, ...]]:
    """At most MOST_ROWS intervals, evenly chosen, the first and the last among them."""
    count = len(found.intervals)
    rows = min(count, MOST_ROWS)
    chosen = [round(index * (count - 1) / max(rows - 1, 1)) for index in range(rows)]
    return [_row(found.intervals[index]) for index in chosen]


def curve_lines(found: Curve) -> Iterator[str]:
    """Each quantity in one line, an interval a character, between the lowest and the highest."""
    quantities = {
        "p50": ([each.p50_ms for each in found.intervals], "ms"),
        "temperature": ([each.temperature_c for each in found.intervals], "°C"),
        "frequency": ([each.frequency_mhz for each in found.intervals], "MHz"),
    }
    for name, (values, unit) in quantities.items():
        told = [value for value in values if value is not None]
        if told:
            low, high = (_number(each, unit) for each in (min(told), max(told)))
            yield f"{name:<12}{_bars(values, min(told), max(told))}  {low} to {high} {unit}"


def _print(heading: str, found: Curve, console: Console) -> None:
    console.print(Text(f"\n{printable(heading)}", style="bold"))
    for line in curve_lines(found):
        console.print(Text(line))
    for gap in sensor_gaps(found):
        console.print(Text(printable(gap), style="dim"))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    for row in curve_rows(found):
        table.add_row(*row)
    console.print(table)


def _row(each: Interval) -> tuple[str, ...]:
    figures = (
        (each.p50_ms, "ms"),
        (each.p90_ms, "ms"),
        (each.temperature_c, "°C"),
        (each.frequency_mhz, "MHz"),
    )
    return (
        show_duration(each.start_s),
        *(_MISSING if value is None else _number(value, unit) for value, unit in figures),
    )


def _number(value: float, unit: str) -> str:
    places = {"°C": 1, "MHz": 0}.get(unit, decimals(value, unit))
    return f"{value:.{places}f}"


def _bars(values: Sequence[float | None], low: float, high: float) -> str:
    """A space where nothing was read."""
    steps = (len(_BARS) - 1) / (max(high - low, _LEAST_SPAN * abs(high)) or 1.0)
    return "".join(
        " " if value is None else _BARS[round((value - low) * steps)] for value in values
    )
