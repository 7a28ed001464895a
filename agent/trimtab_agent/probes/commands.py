"""What a program of the device's prints, for sensors that no file tells.

Below another root than "/" nothing is run: a recorded device has what its commands printed in
``commands/``, each named by its whole command line ("commands/vcgencmd pmic_read_adc").
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

_TIMEOUT_S = 2.0  # vcgencmd answers within milliseconds; a hung firmware must not hold a sampler
_SHOWN_CHARACTERS = 120


class CommandError(Exception):
    """It did not answer; the message says what and why, in one line."""


Runner = Callable[[Path, Sequence[str]], str]


def run_command(root: Path, command: Sequence[str], timeout_s: float = _TIMEOUT_S) -> str:
    """What it prints; raises CommandError where it is missing, fails, or takes too long."""
    if root != Path("/"):
        return _recorded(root, command)
    try:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError:
        raise CommandError(f"{command[0]} is not installed here") from None
    except subprocess.TimeoutExpired:
        raise CommandError(f"{command[0]} did not answer within {timeout_s:g} s") from None
    except OSError as error:
        raise CommandError(f"{command[0]} cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        raise CommandError(f"{command[0]} failed: {_one_line(done.stderr or done.stdout)}")
    return done.stdout


def _recorded(root: Path, command: Sequence[str]) -> str:
    try:
        return (root / "commands" / " ".join(command)).read_text(encoding="utf-8")
    except OSError:
        raise CommandError(f"{command[0]} is not installed here") from None


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_SHOWN_CHARACTERS] or "it says nothing"
