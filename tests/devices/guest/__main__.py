"""A guest to try things on. In the repository's root:

PYTHONPATH=tests .venv/bin/python -m devices.guest
"""

from __future__ import annotations

import sys

import click
from devices.guest.chips import plug_in
from devices.guest.machine import Guest, GuestError
from devices.guest.requirements import GuestUnavailable


def main() -> None:
    try:
        with Guest() as guest:
            plug_in(guest)
            guest.start_agent()
            click.echo(
                f"booted in {guest.boot_s:.1f} s, the agent answers after {guest.agent_s:.1f}"
            )
            click.echo(f"trimtab devices add guest {guest.address}")
            click.echo("Shell commands for it, one a line; its end (Ctrl-D) ends the guest.")
            for command in sys.stdin:
                _run(guest, command)
    except GuestUnavailable as missing:
        sys.exit(f"no guest: {missing}")


def _run(guest: Guest, command: str) -> None:
    try:
        click.echo(guest.shell(command, timeout_s=600))
    except GuestError as error:
        click.echo(str(error), err=True)


if __name__ == "__main__":
    main()
