"""How variants were made, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trimtab.records import Run, Variant
from trimtab.report.origin_view import (
    facts_view,
    lineage_pairs,
)
from trimtab.report.terminal import printable

_WORDS = ("variant", "format")


def print_facts(variants: Sequence[Variant], console: Console) -> None:
    """One line a variant, and what they were all made from."""
    if not variants:
        return
    view = facts_view(variants)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for name in view.columns:
        table.add_column(name, justify="left" if name in _WORDS else "right", overflow="fold")
    for row in view.rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console.print(Text(f"\nVariants, {printable(view.source)}", style="bold"))
    console.print(table)
    for note in view.notes:
        console.print(Text(printable(note), style="dim"))


def print_lineage(run: Run, chosen: Sequence[Variant], console: Console) -> None:
    """Everything that is known of these."""
    for variant in chosen:
        console.print(Text(f"{printable(variant.name)} ({variant.format})", style="bold"))
        table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
        table.add_column(no_wrap=True, style="dim")
        table.add_column(overflow="fold")
        for pair in lineage_pairs(variant, run.variants):
            for number, line in enumerate(pair.lines):
                table.add_row(pair.name if number == 0 else "", Text(printable(line)))
        if variant.artifact is not None:
            again = f"trimtab runs rebuild {run.run_id} {variant.name} --format {variant.format}"
            table.add_row("again", Text(printable(again)))
        console.print(table)
