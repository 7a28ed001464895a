"""What several of the program's commands have."""

from __future__ import annotations

import logging
import math
import sys
from pathlib import Path
from typing import NoReturn

import click

from trimtab_agent.config import ConfigError
from trimtab_agent.logs import say

_WRONG_USAGE = 2
ROOT = click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    envvar="TRIMTAB_SYSFS_ROOT",
    default=Path("/"),
    help="Where sys/ and proc/ are read while measuring, for tests.  [default: /]",
)


def refuse(error: Exception, log_format: str = "text") -> NoReturn:
    say(log_format, logging.ERROR, f"trimtab-agent: {error}")
    sys.exit(_WRONG_USAGE)


def check_finite(**options: float) -> None:
    """Click's ranges let "nan" pass. Raises ConfigError with the option's name."""
    for name, value in options.items():
        if not math.isfinite(value):
            raise ConfigError(f"--{name.replace('_', '-')} {value}: give a number")
