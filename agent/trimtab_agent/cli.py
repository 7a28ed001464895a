"""The program ``trimtab-agent``: parse, call, print."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from trimtab_agent import __version__
from trimtab_agent.cli_battery import calibrate_battery
from trimtab_agent.cli_parts import ROOT
from trimtab_agent.cli_serve import serve
from trimtab_agent.config import default_state_dir
from trimtab_agent.records import DeviceInfo
from trimtab_agent.tables import device_lines, examination_lines

_WOULD_VOID = 1
_FORMAT = click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="json: one object on standard output.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trimtab-agent")
def main() -> None:
    """Measures models on this device with its real runtimes, for a Trimtab host."""


@main.command()
@_FORMAT
def info(output_format: str) -> None:
    """What this device is, its runtimes and its sensors.

    \b
    Example:
      trimtab-agent info --format json
    """
    device = _describe()
    if output_format == "json":
        click.echo(json.dumps({"agent_version": __version__, **asdict(device)}, indent=2))
    else:
        click.echo("\n".join(device_lines(device, __version__)))


@main.command()
@_FORMAT
@ROOT
def doctor(output_format: str, root: Path) -> None:
    """What this device can measure, at what cost, and what disturbs it now.

    It looks, names the command that helps, and changes nothing. Exit code 0; 1 where latencies
    measured now would be INVALID: too busy, throttled, another agent measuring, no usable runtime.

    \b
    Examples:
      trimtab-agent doctor
      trimtab-agent doctor --format json > before.json && run-the-benchmark
    """
    from trimtab_agent.doctor.examination import examine

    found = examine(root, _existing(default_state_dir()))
    if output_format == "json":
        content = {
            "schema": "trimtab.doctor/1",
            "agent_version": __version__,
            "voids_latency": found.voids,
            **asdict(found),
        }
        click.echo(json.dumps(content, indent=2))
    else:
        click.echo("\n".join(examination_lines(found)))
    sys.exit(_WOULD_VOID if found.voids else 0)


main.add_command(serve)
main.add_command(calibrate_battery)


def _existing(folder: Path) -> Path:
    """Itself, or the nearest folder above that is there."""
    return next(each for each in (folder, *folder.parents) if each.is_dir())


def _describe() -> DeviceInfo:
    from trimtab_agent.device import describe_device
    from trimtab_agent.worker.discovery import describe_runtimes

    with tempfile.TemporaryDirectory(prefix="trimtab-info-") as scratch:
        runtimes = asyncio.run(describe_runtimes(Path(scratch)))
    return describe_device(runtimes=runtimes)
