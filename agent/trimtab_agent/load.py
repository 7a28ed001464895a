"""How busy the processors are with what is not ours."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/")
_WINDOW_S = 0.5


@dataclass(frozen=True)
class CpuTimes:
    """Since boot, in the kernel's ticks; ``stolen`` (of ``busy``) went to other machines."""

    busy: int
    total: int
    stolen: int = 0

    def __add__(self, other: CpuTimes) -> CpuTimes:
        return CpuTimes(
            self.busy + other.busy, self.total + other.total, self.stolen + other.stolen
        )


def read_cpu_times(root: Path = _ROOT, cpus: Collection[int] = ()) -> CpuTimes | None:
    """From proc/stat, over ``cpus`` (none: all); None where the system has no such thing."""
    wanted = {f"cpu{cpu}" for cpu in cpus} or {"cpu"}
    found: list[CpuTimes] = []
    try:
        for line in (root / "proc/stat").read_text().splitlines():
            name, *fields = line.split()
            if name in wanted:
                found.append(_cpu_times([int(value) for value in fields[:8]]))
    except (OSError, ValueError, IndexError):
        return None
    if len(found) != len(wanted):
        return None
    return sum(found[1:], found[0])


def count_runnable(root: Path = _ROOT) -> int | None:
    """Threads that run or wait for a processor now, the caller's among them."""
    try:
        return int((root / "proc/loadavg").read_text().split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        return None


def _cpu_times(ticks: list[int]) -> CpuTimes:
    """Guest time is in user time already."""
    idle_and_waiting = ticks[3] + ticks[4]
    stolen = ticks[7] if len(ticks) > 7 else 0
    return CpuTimes(sum(ticks) - idle_and_waiting, sum(ticks), stolen)


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
