"""How many processes and threads there are, and how many a worker may have."""

from __future__ import annotations

import contextlib
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


def tasks_of_session(leader: int) -> int:
    count = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, ValueError, IndexError):
                after_name = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(after_name[3]) == leader:
                    count += int(after_name[17])
    return count
