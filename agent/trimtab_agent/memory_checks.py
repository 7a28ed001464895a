"""Checks that memory and disk sufficed, before the job and while measuring; pure."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab_agent.disturbance import Seen
from trimtab_agent.records import Check

# Once as it is read, once as the runtime keeps it: a 100 MB .tflite was seen to take 228 MB.
ROOM_FOR_MODEL = 2.0
LOW_DISK_BYTES = 100_000_000
_LATENCY = ("latency",)
_MB = 1e6


def free_memory_check(available: int | None, model_bytes: int) -> Check:
    """Warns only: mapped weights need not all be in memory, and a process that is killed for lack
    of memory ends with class ``resources`` by itself. Bytes.
    """
    name, metrics = "FREE_MEMORY", ("latency", "memory")
    if available is None:
        return Check(name, "unknown", False, metrics, "no MemAvailable in /proc/meminfo")
    needed = ROOM_FOR_MODEL * model_bytes
    seen = (
        f"{available / _MB:.0f} MB free before the job, the model may take {needed / _MB:.1f} MB "
        f"({ROOM_FOR_MODEL:g} x its file)"
    )
    if available >= needed:
        return Check(name, "passed", False, metrics, seen)
    return Check(name, "failed", False, metrics, seen, "stop what else uses memory")


def free_disk_check(free: int) -> Check:
    """Warns only: a job whose disk fills up ends with class ``resources``. Bytes."""
    seen = f"{free / _MB:.0f} MB free for the agent's state (limit {LOW_DISK_BYTES / _MB:.0f} MB)"
    if free >= LOW_DISK_BYTES:
        return Check("FREE_DISK", "passed", False, (), seen)
    advice = "remove files, or give `trimtab-agent serve` a --state on another disk"
    return Check("FREE_DISK", "failed", False, (), seen, advice)


def no_swapping_check(repeats: Sequence[Seen]) -> Check:
    """A worker that waited for pages timed the disk; swapping that left it alone warns."""
    name = "NO_SWAPPING"
    known = [seen.paging for seen in repeats if seen.paging is not None]
    if not known or len(known) < len(repeats):
        return Check(name, "unknown", True, _LATENCY, "the kernel does not tell in /proc/vmstat")
    swapped, faults = (sum(each.swapped for each in known), sum(e.major_faults for e in known))
    text = (
        f"while measuring, {swapped} pages swapped on the whole device, and {faults} times the "
        "worker waited for a page from the disk"
    )
    advice = "stop what else uses memory, or measure a smaller model"
    if any(seen.waited_for_pages for seen in repeats):
        return Check(name, "failed", True, _LATENCY, text, advice)
    if swapped:
        return Check(name, "failed", False, _LATENCY, text, advice)
    return Check(name, "passed", True, _LATENCY, text)
