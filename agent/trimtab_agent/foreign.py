"""How much of the processors others took while a worker was measured, and who they were."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import psutil

from trimtab_agent.load import CpuTimes, busy_share, count_runnable, read_cpu_times
from trimtab_agent.middle import median_low

MAX_CULPRITS = 3
_ROOT = Path("/")
_WINDOW_S = 0.5
_LOOKS = 10
_WORTH_NAMING = 0.05  # of one processor

# By number and beginning: a number is given again, and a name changes (a kworker's with its work).
ProcessKey = tuple[int, float]
ProcessTimes = dict[ProcessKey, tuple[str, float]]


@dataclass(frozen=True)
class ForeignLoad:
    """``share`` of the ``processors`` looked at, 0 to 1; ``culprits``: name and share of one each.

    ``stolen`` is the part of the share that the hypervisor gave to other machines. ``runnable``:
    how many threads of others wanted a processor, most of the time; None where not told.
    """

    share: float
    processors: int
    culprits: tuple[str, ...] = ()
    stolen: float = 0.0
    runnable: int | None = None


@dataclass(frozen=True)
class Usage:
    """At one moment: the processors' times, and the seconds that workers and agent have used."""

    cpu: CpuTimes
    own_s: float


def usage(worker_pids: Collection[int], cpus: Collection[int] = ()) -> Usage | None:
    """None where the system does not tell, there is no worker, or one is gone."""
    times = read_cpu_times(cpus=cpus)
    try:
        own = sum(_seconds(psutil.Process(pid)) for pid in (*worker_pids, os.getpid()))
    except psutil.Error:
        return None
    return None if times is None or not worker_pids else Usage(times, own)


def foreign_load(
    before: Usage | None, after: Usage | None, culprits: tuple[str, ...], processors: int
) -> ForeignLoad | None:
    """Between two moments; None where one is missing or no time went by."""
    if before is None or after is None or after.cpu.total <= before.cpu.total:
        return None
    ticks = after.cpu.total - before.cpu.total
    own_ticks = (after.own_s - before.own_s) * os.sysconf("SC_CLK_TCK")
    share = (after.cpu.busy - before.cpu.busy - own_ticks) / ticks
    stolen = (after.cpu.stolen - before.cpu.stolen) / ticks
    return ForeignLoad(min(max(share, 0.0), 1.0), processors, culprits, stolen)


def process_times() -> ProcessTimes:
    """Every process's name and seconds of processor time so far."""
    found: ProcessTimes = {}
    for process in psutil.process_iter():
        try:
            key = (process.pid, process.create_time())
            found[key] = (_group(process.name()), _seconds(process))
        except psutil.Error:  # it ended meanwhile, or is not ours to see
            continue
    return found


def name_culprits(
    before: ProcessTimes, after: ProcessTimes, elapsed_s: float, own_pids: Collection[int]
) -> tuple[str, ...]:
    """The busiest others, as ``name (83% of a processor)``; those of one name together."""
    used: dict[str, float] = {}
    for key, (name, seconds) in after.items():
        _, earlier = before.get(key, (name, 0.0))
        if key[0] not in own_pids:
            used[name] = used.get(name, 0.0) + seconds - earlier
    busiest = sorted(used.items(), key=lambda item: -item[1])[:MAX_CULPRITS]
    return tuple(
        f"{name} ({seconds / elapsed_s:.0%} of a processor)"
        for name, seconds in busiest
        if elapsed_s > 0 and seconds / elapsed_s >= _WORTH_NAMING
    )


def _group(name: str) -> str:
    """``kworker/1:2-events`` says what that one of many does at the moment."""
    return "kworker" if name.startswith("kworker/") else name


async def background_load(root: Path = _ROOT, window_s: float = _WINDOW_S) -> ForeignLoad | None:
    """What everybody else does now, with names: call it with no worker running."""
    processes, began = process_times(), time.monotonic()
    before = read_cpu_times(root)
    runnable = []
    for _ in range(_LOOKS):
        await asyncio.sleep(window_s / _LOOKS)
        runnable.append(count_runnable(root))
    after = read_cpu_times(root)
    share = busy_share(before, after)
    if share is None or before is None or after is None:
        return None
    elapsed = time.monotonic() - began
    culprits = name_culprits(processes, process_times(), elapsed, (os.getpid(),))
    stolen = (after.stolen - before.stolen) / (after.total - before.total)
    known = [count - 1 for count in runnable if count is not None]  # this process is one
    queued = median_low(known) if known else None
    return ForeignLoad(share, os.cpu_count() or 1, culprits, stolen, queued)


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
