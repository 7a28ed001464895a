"""What else goes on here now: other work, heat, and how much memory and disk is left."""

from __future__ import annotations

import os
from collections.abc import Mapping

import psutil

from trimtab_agent.disturbance import FOREIGN_LOAD_LIMIT, crowds_out, load_text
from trimtab_agent.doctor.finding import Finding
from trimtab_agent.foreign import ForeignLoad
from trimtab_agent.memory_checks import free_disk_check
from trimtab_agent.probes.thermal import Headroom
from trimtab_agent.probes.throttling import ThrottleState

LOW_MEMORY = 0.10
LOW_HEADROOM_C = 10.0
_WORKER = "trimtab_agent.worker"
_MB = 1e6


def running_workers() -> tuple[int, ...]:
    """Process ids of workers that any agent on this device runs, as far as they can be seen."""
    found = []
    for process in psutil.process_iter():
        try:
            if _WORKER in process.cmdline() and process.ppid() != os.getpid():
                found.append(process.pid)
        except psutil.Error:  # it ended meanwhile, or is not ours to see
            continue
    return tuple(found)


def other_worker_finding(pids: tuple[int, ...]) -> Finding:
    if not pids:
        return Finding("other measurements", "ok", "none runs now")
    seen = f"another agent measures now (process {', '.join(map(str, pids))})"
    return Finding("other measurements", "warning", seen, "wait until it is done", voids=True)


def load_finding(load: ForeignLoad | None) -> Finding:
    """``voids`` is judged for one thread, the least that a model needs."""
    name = "background load"
    if load is None:
        return Finding(name, "unknown", "this system does not tell processor times")
    seen = f"processor time used by others: {load_text(load)}"
    if load.share <= FOREIGN_LOAD_LIMIT:
        return Finding(name, "ok", seen)
    advice = "stop what else runs while measuring"
    return Finding(name, "warning", seen, advice, voids=crowds_out(load, threads=1))


def throttling_finding(state: ThrottleState | None) -> Finding:
    if state is None:
        return Finding("throttling now", "unknown", "neither firmware nor kernel tells")
    advice = "let it cool, or use its own power supply"
    if state.active:
        seen = ", ".join(state.active)
        return Finding("throttling now", "warning", seen, advice, voids=True)
    if state.since_boot:
        seen = f"not now; since boot: {', '.join(state.since_boot)}"
        return Finding("throttling now", "warning", seen, advice)
    counted = "" if state.count is None else f", {state.count} times since boot"
    return Finding("throttling now", "ok", f"not now{counted}")


def headroom_finding(headroom: Headroom | None) -> Finding:
    name = "thermal headroom"
    if headroom is None:
        return Finding(name, "unknown", "no thermal zone with a trip point in /sys/class/thermal")
    seen = (
        f"{headroom.degrees:.0f} °C until the device slows down: {headroom.temperature}, "
        f"{headroom.trip} at {headroom.trip_c:.0f} °C"
    )
    if headroom.degrees >= LOW_HEADROOM_C:
        return Finding(name, "ok", seen)
    return Finding(name, "warning", seen, "let it cool, or ask for a start temperature")


def memory_finding(memory: Mapping[str, int]) -> Finding:
    total, available = memory.get("MemTotal"), memory.get("MemAvailable")
    if not total or available is None:
        return Finding("free memory", "unknown", "not told in /proc/meminfo")
    seen = f"{available / _MB:.0f} of {total / _MB:.0f} MB"
    if available >= LOW_MEMORY * total:
        return Finding("free memory", "ok", seen)
    return Finding("free memory", "warning", seen, "stop what else uses memory")


def swap_finding(memory: Mapping[str, int], before: int | None, after: int | None) -> Finding:
    """``before`` and ``after``: pages swapped since boot, while the load was looked at."""
    total = memory.get("SwapTotal")
    if total is None or before is None or after is None:
        return Finding("swap", "unknown", "not told in /proc/meminfo and /proc/vmstat")
    used = (total - memory.get("SwapFree", total)) / _MB
    seen = f"{used:.0f} of {total / _MB:.0f} MB in use, {after - before} pages moved meanwhile"
    if after == before:
        return Finding("swap", "ok", seen if total else "this system has none")
    return Finding("swap", "warning", seen, "stop what else uses memory")


def disk_finding(free: int) -> Finding:
    check = free_disk_check(free)
    return Finding("disk", "warning" if check.advice else "ok", check.seen, check.advice)
