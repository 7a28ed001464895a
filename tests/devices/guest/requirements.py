"""What the guest needs from this machine, and the commands that get it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

EMULATOR = "qemu-system-x86_64"
CACHE_VARIABLE = "TRIMTAB_GUEST_CACHE"
_NEEDED = {
    EMULATOR: "qemu-system-x86",
    "apt-get": "apt",
    "apt-cache": "apt",
    "dpkg-deb": "dpkg",
}


class GuestUnavailable(Exception):
    """Something is missing on this machine; one line that says what and what to do."""


def check_programs() -> None:
    """Raises GuestUnavailable."""
    for program, package in _NEEDED.items():
        if shutil.which(program) is None:
            raise GuestUnavailable(f"{program} is not installed (Debian's package {package})")


def cache_folder() -> Path:
    """Downloads and what is made of them; safe to remove."""
    given = os.environ.get(CACHE_VARIABLE)
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(given) if given else base / "trimtab-test-guest"


def output_of(command: Sequence[str | Path], folder: Path | None = None) -> str:
    """What it prints. Raises GuestUnavailable where it fails: no network, or not on offer."""
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        lines = [line for line in run.stderr.splitlines() if line.strip()]
        said = next((line for line in lines if line.startswith(("E:", "ERROR"))), None)
        name = Path(command[0]).name
        raise GuestUnavailable(f"{name} failed: {said or ' '.join(lines[-1:])}")
    return run.stdout
