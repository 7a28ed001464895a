"""``trimtab compare``: two kept runs side by side, where their conditions agree."""

from __future__ import annotations

import click
from rich import box
from rich.table import Table

from trimtab.cli.errors import EXIT_DONE
from trimtab.cli.measuring import output_console, print_json
from trimtab.home import store_url
from trimtab.measure.side_by_side import Pair, SideBySide, side_by_side
from trimtab.measure.wording import show
from trimtab.records import Run, UserError
from trimtab.report.comparison import differences_text, ratio_text, runs_json
from trimtab.store import RunStore


@click.command()
@click.argument("first", metavar="RUN_A")
@click.argument("second", metavar="RUN_B")
@click.option("--anyway", is_flag=True, help="Also where conditions differ, which are then listed.")
@click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def compare(first: str, second: str, anyway: bool, output: str) -> int:
    """Show two runs side by side; refused (exit 2) where they were not measured alike.

    The ratio is RUN_A's median latency over RUN_B's, with its 95 % interval.

    \b
    Examples:
      trimtab compare 20261101-1200 20261102-0900
      trimtab compare 20261101-1200 20261102-0900 --anyway
    """
    with RunStore(store_url()) as store:
        runs = store.load(first), store.load(second)
    found = side_by_side(runs[0].results, runs[1].results)
    if not found.pairs:
        raise UserError(
            f"{runs[0].run_id} and {runs[1].run_id} have nothing in common to compare",
            "both must hold a variant or file of the same name and format",
        )
    differing = differences_text(found)
    if differing and not anyway:
        raise UserError(
            f"not compared, these conditions differ (RUN_A / RUN_B):\n{differing}",
            "measure both alike, or see the figures with --anyway",
        )
    _print(found, runs, differing, output)
    return EXIT_DONE


def _print(found: SideBySide, runs: tuple[Run, Run], differing: str, output: str) -> None:
    if output == "json":
        print_json(runs_json(found, runs[0].run_id, runs[1].run_id))
        return
    table = Table("result", "device", "p50 A", "p50 B", "A / B", "A is", box=box.SIMPLE_HEAD)
    for pair in found.pairs:
        table.add_row(*_cells(pair))
    output_console().print(table)
    if differing:
        click.echo(f"these conditions differ (A / B):\n{differing}")
    for result in found.alone:
        click.echo(f"in one run only: {result.label} on {result.device.name}")


def _cells(pair: Pair) -> tuple[str, ...]:
    figures = (
        show(each.metrics["latency_p50_ms"]) if each.error is None else "failed"
        for each in (pair.first, pair.second)
    )
    told = pair.reason or (f"{pair.verdict}, conditions differ" if pair.differences else None)
    threads = f"threads {pair.first.settings.threads}"
    return (
        f"{pair.first.label}, {threads}",
        pair.first.device.name,
        *figures,
        ratio_text(pair),
        told or pair.verdict,
    )
