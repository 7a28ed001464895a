"""What a device does now, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from trimtab.fleet.live import Seen
from trimtab.fleet.status import DeviceStatus
from trimtab.fleet.telemetry import figure_text

_FIGURES = (("temperature_c", "temp"), ("power_w", "power"), ("cpu_busy", "load"))
_UNKNOWN = "–"


def holder_text(status: DeviceStatus) -> str:
    """ "" where nobody holds it."""
    waiting = f", {len(status.waiting)} wait" if status.waiting else ""
    if status.holder is None:
        return waiting.removeprefix(", ")
    return f"held by {status.holder or 'somebody'}{waiting}"


def doing_text(status: DeviceStatus) -> str:
    """ "" where no job is there."""
    job = status.running
    queued = f"{status.queued} queued" if status.queued else ""
    if job is None:
        return queued
    arm = f" {job.arm}, repeat {job.repeat_index + 1}" if job.arm else ""
    return f"{job.state}{arm} for {job.running_s:.0f} s" + (f", {queued}" if queued else "")


def fleet_table(seen: Mapping[str, Seen]) -> Table:
    table = Table("device", "holder", "waits", "job")
    for _, heading in _FIGURES:
        table.add_column(heading, justify="right")
    for heading in ("mem free", "disk free", "results"):
        table.add_column(heading, justify="right")
    for one in seen.values():
        table.add_row(*(escape(cell) for cell in _cells(one)))
    return table


def seen_row(seen: Seen) -> dict[str, Any]:
    """For programs: null where the device does not tell."""
    status = seen.status
    told = {name: seen.telemetry.get(name) for name in (*dict(_FIGURES), "memory_available_mb")}
    row = {"device": seen.device, "problem": seen.problem or None, "telemetry": told}
    if status is None:
        return row
    job = status.running
    return {
        **row,
        "holder": status.holder,
        "held_s": status.held_s,
        "waiting": list(status.waiting),
        "jobs": [vars(each) for each in status.jobs],
        "doing": doing_text(status),
        "running_job_id": job.job_id if job else None,
        "disk_free_bytes": status.disk_free_bytes,
        "artifact_bytes": status.artifact_bytes,
        "results_waiting": status.results_waiting,
        "agent_memory_bytes": status.agent_memory_bytes,
        "agent_uptime_s": status.agent_uptime_s,
    }


def line_of_seen(seen: Seen) -> str:
    """One line for where there is no terminal; the same while nothing of note changes."""
    if seen.problem:
        return f"{seen.device}: {seen.problem}"
    status = seen.status
    if status is None:
        return f"{seen.device}: connected"
    job = status.running
    what = f"{job.state} {job.arm} repeat {job.repeat_index + 1}" if job else "no job"
    return "; ".join(filter(None, (f"{seen.device}: {what}", holder_text(status))))


def _cells(seen: Seen) -> list[str]:
    if seen.problem:
        return [seen.device, "", "", seen.problem, *[""] * 6]
    figures = [figure_text(seen.telemetry, name) or _UNKNOWN for name, _ in _FIGURES]
    available = seen.telemetry.get("memory_available_mb")
    memory = _UNKNOWN if available is None else f"{available:.0f} MB"
    status = seen.status
    if status is None:
        return [seen.device, "", "", "", *figures, memory, "", ""]
    holder = "" if status.holder is None else status.holder or "somebody"
    held = f"{holder} ({status.held_s:.0f} s left)" if status.holder is not None else ""
    disk = f"{status.disk_free_bytes / 1e9:.1f} GB"
    waiting, results = ", ".join(status.waiting), str(status.results_waiting)
    return [seen.device, held, waiting, doing_text(status), *figures, memory, disk, results]
