"""How many processes and threads there are, and how many a worker may have."""

from __future__ import annotations

import os
from pathlib import Path

_FOR_A_PROCESSOR = 8


def most_tasks() -> int:
    """Far above what thread pools take, far below what a device stands."""
    return 512 + _FOR_A_PROCESSOR * (os.cpu_count() or 1)


def tasks_of_system() -> int:
    """Processes and threads of the whole device; 0 where it does not tell."""
    try:
        return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])
    except (OSError, ValueError, IndexError):
        return 0
