"""How busy the processors are with what is not ours."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/")
_WINDOW_S = 0.5


@dataclass(frozen=True)
class CpuTimes:
    """Since boot, over all processors, in the kernel's ticks."""

    busy: int
    total: int


def read_cpu_times(root: Path = _ROOT) -> CpuTimes | None:
    """From proc/stat; None where the system has no such thing."""
    try:
        first = (root / "proc/stat").read_text().splitlines()[0].split()
        ticks = [int(value) for value in first[1:9]]  # guest time is in user time already
    except (OSError, ValueError, IndexError):
        return None
    if first[0] != "cpu" or len(ticks) < 5:
        return None
    idle_and_waiting = ticks[3] + ticks[4]
    return CpuTimes(sum(ticks) - idle_and_waiting, sum(ticks))


def busy_share(before: CpuTimes | None, after: CpuTimes | None) -> float | None:
    """Between two readings, 0 to 1; None where one is missing or no time went by."""
    if before is None or after is None or after.total <= before.total:
        return None
    return (after.busy - before.busy) / (after.total - before.total)


async def measure_foreign_load(root: Path = _ROOT, window_s: float = _WINDOW_S) -> float | None:
    """The busy share while this process waits: call it with no worker running."""
    before = read_cpu_times(root)
    await asyncio.sleep(window_s)
    return busy_share(before, read_cpu_times(root))
