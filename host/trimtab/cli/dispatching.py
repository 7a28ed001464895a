"""Options on how a run deals with its devices: those of [dispatch] that a command may change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from trimtab.cli.options import parse_duration

Command = Callable[..., Any]
_DURATIONS = {"patience": "patience_s", "job_deadline": "job_deadline_s", "deadline": "deadline_s"}


def dispatch_options(command: Command) -> Command:
    """What is not given stays as the project says."""
    options = [
        click.option(
            "--arms-per-job",
            type=click.IntRange(min=1),
            metavar="N",
            help="Cut a device's share into jobs of N arms.  [default: all take turns in one]",
        ),
        click.option(
            "--attempts",
            type=click.IntRange(1, 100),
            help="Of a job that fails for its device's sake.  [default: 3]",
        ),
        click.option(
            "--patience",
            metavar="DURATION",
            help="How long a device may be silent before it is set aside.  [default: 60s]",
        ),
        click.option("--job-deadline", metavar="DURATION", help="Then a job is ended."),
        click.option("--deadline", metavar="DURATION", help="Then the rest is left undone."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def take_dispatch(given: dict[str, Any]) -> dict[str, Any]:
    """Takes these options out of what a command was given, by their names in [dispatch]."""
    found = {name: given.pop(name) for name in ("arms_per_job", "attempts")}
    for option, name in _DURATIONS.items():
        text = given.pop(option)
        found[name] = None if text is None else parse_duration(text)
    return {name: value for name, value in found.items() if value is not None}
