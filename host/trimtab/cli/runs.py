"""``trimtab runs``, ``decide``, ``report``: what was measured before, without measuring again."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, replace
from pathlib import Path

import click
from rich import box
from rich.table import Column, Table
from rich.text import Text

from trimtab.campaign.choice import choose
from trimtab.campaign.unfinished import forget, unfinished_runs
from trimtab.cli.errors import EXIT_DONE
from trimtab.cli.lineage import print_variants, rebuild, show_lineage
from trimtab.cli.measuring import (
    exit_code,
    output_console,
    print_run_results,
    say_policy,
    write_page,
)
from trimtab.cli.options import output_option
from trimtab.decide.requirements import parse_requirement
from trimtab.home import store_url
from trimtab.measure_policies import describe
from trimtab.plain_text import printable
from trimtab.records import Objective, Run, UserError
from trimtab.store import RunStore, RunSummary, read_recording, write_recording


@click.group()
def runs() -> None:
    """The runs that were kept: list, show, rebuild, export, import, delete."""


runs.add_command(rebuild)


@runs.command("list")
@click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def list_runs(output: str) -> int:
    """List the kept runs, newest first.

    \b
    Example: trimtab runs list
    """
    with RunStore(store_url()) as store:
        kept = store.list()
    unfinished = unfinished_runs()
    if output == "json":
        rows = [{**asdict(summary), "unfinished": summary.run_id in unfinished} for summary in kept]
        click.echo(json.dumps({"schema": "trimtab.runs/1", "runs": rows}, indent=2, default=str))
        return EXIT_DONE
    run, created = Column("run", no_wrap=True), Column("created (UTC)", no_wrap=True)
    table = Table(
        run, created, "name", "devices", "results", "failed", "status", box=box.SIMPLE_HEAD
    )
    for summary in kept:
        cells = (
            summary.run_id,
            summary.created.removesuffix("+00:00").replace("T", " "),
            summary.name,
            ", ".join(summary.devices),
            str(summary.result_count),
            str(summary.failed_count),
            _status(summary, unfinished),
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    output_console().print(table)
    return EXIT_DONE


@runs.command()
@click.argument("run_id", metavar="RUN")
@click.option(
    "--variant", metavar="NAME", help="How that one was made, whole, instead of the results."
)
@output_option
def show(run_id: str, variant: str | None, output: str) -> int:
    """Show a run and how its variants were made; RUN may be shortened while it stays unique.

    \b
    Examples:
      trimtab runs show 20261101-1200 --format markdown
      trimtab runs show 20261101-1200 --variant int8
    """
    run = _load(run_id)
    if variant is not None:
        return show_lineage(run, variant, output)
    for result in {describe(each.settings): each for each in run.results}.values():
        say_policy(result.settings)
    print_run_results(run, output)
    if output == "table":
        print_variants(run)
    return EXIT_DONE


@runs.command("export")
@click.argument("run_id", metavar="RUN")
@click.option(
    "-o", "--output", "path", type=click.Path(path_type=Path), required=True, metavar="FILE.trimtab"
)
def export_run(run_id: str, path: Path) -> int:
    """Write a run with all its raw samples to one file, for another machine to import.

    \b
    Example: trimtab runs export 20261101-1200 -o board.trimtab
    """
    run = _load(run_id)
    write_recording(run, path)
    click.echo(f"wrote {run.run_id} to {path}", err=True)
    return EXIT_DONE


@runs.command("import")
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE.trimtab")
def import_run(path: Path) -> int:
    """Put an exported run into the store, after checking every sum and field of it.

    \b
    Example: trimtab runs import board.trimtab
    """
    run = read_recording(path)
    with RunStore(store_url()) as store:
        is_new = store.add(run)
    what = "imported" if is_new else "already there:"
    click.echo(f"{what} {printable(f'{run.run_id} ({run.name})')}", err=True)
    return EXIT_DONE


@runs.command("delete")
@click.argument("run_id", metavar="RUN")
def delete_run(run_id: str) -> int:
    """Delete a run and its samples from the store; export it first to keep it.

    A run that is being measured stays. What devices keep of an unfinished one goes there too.

    \b
    Example: trimtab runs delete 20261101-120000-ab12
    """
    with RunStore(store_url()) as store:
        whole_id = _whole_id(store, run_id)
        with forget(whole_id, _warn):
            deleted = store.delete(whole_id)
    click.echo(f"deleted {deleted}", err=True)
    return EXIT_DONE


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--require", "requirements", multiple=True, metavar="'METRIC<=LIMIT'")
@click.option("--minimize", metavar="METRIC")
@click.option("--maximize", metavar="METRIC")
@click.option("--otherwise", metavar="METRIC", help="Where the objective is unavailable.")
@output_option
def decide(
    run_id: str,
    requirements: tuple[str, ...],
    minimize: str | None,
    maximize: str | None,
    otherwise: str | None,
    output: str,
) -> int:
    """Choose again from a kept run, under other requirements or another objective.

    \b
    Example: trimtab decide 20261101-1200 --require 'latency_p90_ms<=5' --minimize size_mb
    """
    run = _load(run_id)
    kept = run.decision
    limits = tuple(parse_requirement(text) for text in requirements)
    if not limits and kept is not None:
        limits = kept.requirements
    objective = _objective(minimize, maximize, otherwise)
    if objective is None:
        objective = kept.objective if kept is not None else Objective("latency_p50_ms")
    decided = replace(run, decision=choose(run, limits, objective))
    print_run_results(decided, output)
    return exit_code((), decided.decision, evaluated=False)


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option(
    "-o", "--output", "path", type=click.Path(path_type=Path), required=True, metavar="FILE.html"
)
def report(run_id: str, path: Path) -> int:
    """Write a kept run as one self-contained HTML page.

    \b
    Example: trimtab report 20261101-1200 -o report.html
    """
    write_page(_load(run_id), path)
    return EXIT_DONE


def _warn(text: str) -> None:
    click.echo(f"warning: {printable(text)}", err=True)


def _status(summary: RunSummary, unfinished: Collection[str]) -> str:
    """``unfinished`` can be gone on with; what was interrupted otherwise cannot."""
    if summary.run_id in unfinished:
        return "unfinished"
    if summary.interrupted:
        return "interrupted"
    return "finished" if summary.result_count else "no results"


def _whole_id(store: RunStore, beginning: str) -> str:
    """What it is where it is not one run's: the store tells what is wrong with it."""
    found = [each.run_id for each in store.list() if each.run_id.startswith(beginning)]
    return found[0] if beginning and len(found) == 1 else beginning


def _load(run_id: str) -> Run:
    with RunStore(store_url()) as store:
        return store.load(run_id)


def _objective(
    minimize: str | None, maximize: str | None, otherwise: str | None
) -> Objective | None:
    if minimize and maximize:
        raise UserError("--minimize and --maximize", "give one of the two")
    if minimize:
        return Objective(minimize, "minimize", otherwise)
    if maximize:
        return Objective(maximize, "maximize", otherwise)
    return None
