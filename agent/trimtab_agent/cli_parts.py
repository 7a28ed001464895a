"""What several of the program's commands have."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click

_WRONG_USAGE = 2
ROOT = click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    envvar="TRIMTAB_SYSFS_ROOT",
    default=Path("/"),
    help="Where sys/ and proc/ are read while measuring, for tests.  [default: /]",
)


def refuse(error: Exception) -> NoReturn:
    click.echo(f"trimtab-agent: {error}", err=True)
    sys.exit(_WRONG_USAGE)
