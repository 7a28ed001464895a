"""What the measuring commands print, and the exit code they end with."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from trimtab.cli.errors import EXIT_DONE, EXIT_FAILED, EXIT_NOT_MET
from trimtab.measure import agreement
from trimtab.measure_policies import describe
from trimtab.plain_text import printable
from trimtab.records import Decision, MeasurementSettings, Result, Run

_FILE_WIDTH = 120


def progress_console() -> Console:
    return Console(stderr=True)


def output_console() -> Console:
    """Standard output; wide enough for the tables where it is a file or a pipe."""
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _FILE_WIDTH
    return console


def say_policy(settings: MeasurementSettings) -> None:
    """What is in force, on standard error."""
    click.echo(f"measure: {describe(settings)}", err=True)


def print_json(content: dict[str, Any]) -> None:
    click.echo(json.dumps(content, indent=2, allow_nan=False))


def report_failures(results: Sequence[Result]) -> None:
    """One line each, with the class and the runtime's own reason."""
    for result in results:
        if result.error is not None:
            where = f"{result.label} on {result.device.name}"
            failure = result.error
            line = f"failed: {where}: {failure.failure_class}: {failure.message}"
            click.echo(printable(line), err=True)


def print_run_results(run: Run, output: str) -> None:
    """Results and decision in the asked form, on standard output."""
    from trimtab.report import json_output, tables, terminal
    from trimtab.report.profile_view import print_profiles
    from trimtab.report.robustness_terminal import print_robustness
    from trimtab.report.sustained_terminal import print_sustained

    if output == "json":
        print_json(json_output.run_json(run))
    elif output == "table":
        console = output_console()
        terminal.print_results(run.results, console)
        print_robustness(run.results, console)
        print_profiles(run.results, console)
        print_sustained(run.results, console)
        if run.decision is not None:
            terminal.print_decision(run.decision, run.results, console)
    else:
        click.echo(tables.render(run.results, output), nl=False)


def write_page(run: Run, path: Path) -> None:
    from trimtab.report.html import write_report

    write_report(run, path)
    click.echo(f"wrote {path}", err=True)


def exit_code(
    results: Sequence[Result],
    decision: Decision | None,
    evaluated: bool,
    compared: bool = False,
) -> int:
    """3 where an arm failed, or what was asked of its outputs; else 1 where there is no choice."""
    if any(result.error is not None for result in results):
        return EXIT_FAILED
    if evaluated and any(result.metrics["accuracy"].value is None for result in results):
        return EXIT_FAILED
    if compared and any(agreement.is_unknown(result.checks) for result in results):
        return EXIT_FAILED
    if decision is not None and any(device.chosen is None for device in decision.devices):
        return EXIT_NOT_MET
    return EXIT_DONE
