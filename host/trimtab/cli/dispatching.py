"""Options on how a run deals with its devices: those of [dispatch] that a command may change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from trimtab.cli.options import parse_duration, with_changes
from trimtab.project import is_of_dispatch

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
            help="How long a device may be silent, or in no state to begin a job, before it is set "
            "aside.  [default: 60s]",
        ),
        click.option("--job-deadline", metavar="DURATION", help="Then a job is ended."),
        click.option("--deadline", metavar="DURATION", help="Then the rest is left undone."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def take_dispatch(given: dict[str, Any]) -> dict[str, Any]:
    """Takes the options that there are out of what a command was given, and from --set what is of
    [dispatch]; by the names there. Raises UserError for a setting given twice."""
    found = {name: given.pop(name, None) for name in ("arms_per_job", "attempts")}
    for option, name in _DURATIONS.items():
        text = given.pop(option, None)
        found[name] = None if text is None else parse_duration(text)
    by_option = {name: value for name, value in found.items() if value is not None}
    changes: tuple[str, ...] = given.pop("changes")
    own = tuple(text for text in changes if is_of_dispatch(text.partition("=")[0].strip()))
    given["changes"] = tuple(text for text in changes if text not in own)
    return with_changes(by_option, own)
