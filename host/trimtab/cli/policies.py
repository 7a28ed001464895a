"""``trimtab policies``: what the named policies ask of a measurement."""

from __future__ import annotations

from typing import Any

import click
from rich import box
from rich.markup import escape
from rich.table import Table

from trimtab.cli.errors import EXIT_DONE
from trimtab.cli.measuring import output_console, print_json
from trimtab.measure_policies import (
    BLOCKS,
    COMPARING,
    DEFAULT_POLICY,
    POLICIES,
    PURPOSES,
    comparing_fields,
    shown,
)
from trimtab.project import DispatchSettings, MeasureSettings

_BLOCKS = "max_duration_s"
_OVERRIDE = (
    "In trimtab.toml: policy, then single settings over it, under [measure]. On the command line: "
    "--policy NAME, and --set NAME=VALUE for any of these settings, as often as wanted, for "
    "example --set warmup_s=500ms or --set min_disk_free_mb=200; --repeats, --rate and the like "
    "are shorter words for the same."
)


@click.command()
@click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def policies(output: str) -> int:
    """The measuring policies and their settings, by the names that [measure] takes in trimtab.toml.

    \b
    Examples:
      trimtab policies
      trimtab bench model.onnx --policy strict --repeats 10 --set max_duration_s=2m
    """
    if output == "json":
        print_json(_json())
        return EXIT_DONE
    console = output_console()
    console.print(_policies_table())
    console.print(_comparing_table())
    console.print(_others_table())
    console.print(_dispatch_table())
    console.print(_OVERRIDE, markup=False)
    return EXIT_DONE


def _json() -> dict[str, Any]:
    return {
        "schema": "trimtab.policies/1",
        "default": DEFAULT_POLICY,
        "policies": POLICIES,
        "comparing": {name: comparing_fields(name) for name in POLICIES},
        "settings": {
            name: {"default": default, "meaning": meaning} for name, default, meaning in _settings()
        },
        "override": _OVERRIDE,
    }


def _policies_table() -> Table:
    table = Table("setting", *POLICIES, "what", box=box.SIMPLE_HEAD)
    table.add_row("for", *PURPOSES.values())
    for name, _, meaning in _settings():
        if name in POLICIES[DEFAULT_POLICY]:
            figures = (shown(policy[name]) for policy in POLICIES.values())
            table.add_row(name, *figures, meaning)
    return table


def _comparing_table() -> Table:
    """What ``--compare`` has in place of the policy's own."""
    meanings = {name: meaning for name, _, meaning in _settings()}
    table = Table("with --compare", *POLICIES, "what", box=box.SIMPLE_HEAD)
    for name in COMPARING[DEFAULT_POLICY]:
        meaning = "of an arm's blocks per process, at most" if name == _BLOCKS else meanings[name]
        table.add_row(name, *(shown(each[name]) for each in COMPARING.values()), meaning)
    table.add_row("blocks", *map(str, BLOCKS.values()), "of an arm per process, at most")
    return table


def _others_table() -> Table:
    table = Table("set by no policy", "default", "what", box=box.SIMPLE_HEAD)
    for name, default, meaning in _settings():
        if name not in ("policy", *POLICIES[DEFAULT_POLICY]):
            table.add_row(name, shown(default), meaning)
    return table


def _dispatch_table() -> Table:
    table = Table(escape("[dispatch]"), "default", "what", box=box.SIMPLE_HEAD)
    for name, field in DispatchSettings.model_fields.items():
        table.add_row(name, shown(field.default), field.description or "")
    return table


def _settings() -> list[tuple[str, Any, str]]:
    """Name, default and meaning of each, as [measure] declares it."""
    return [
        (name, field.get_default(call_default_factory=True), field.description or "")
        for name, field in MeasureSettings.model_fields.items()
    ]
