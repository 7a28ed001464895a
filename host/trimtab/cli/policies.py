"""``trimtab policies``: what the named policies ask of a measurement."""

from __future__ import annotations

import click
from rich.table import Table

from trimtab.cli.errors import EXIT_DONE
from trimtab.cli.measuring import output_console, print_json
from trimtab.measure_policies import DEFAULT_POLICY, POLICIES, PURPOSES


@click.command()
@click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def policies(output: str) -> int:
    """The measuring policies and their settings, by the names that [measure] takes in trimtab.toml.

    \b
    Examples:
      trimtab policies
      trimtab bench model.onnx --policy strict --repeats 10
    """
    if output == "json":
        print_json(
            {"schema": "trimtab.policies/1", "default": DEFAULT_POLICY, "policies": POLICIES}
        )
        return EXIT_DONE
    table = Table("setting", *POLICIES)
    table.add_row("for", *PURPOSES.values())
    for name in POLICIES[DEFAULT_POLICY]:
        table.add_row(name, *(str(policy[name]) for policy in POLICIES.values()))
    output_console().print(table)
    return EXIT_DONE
