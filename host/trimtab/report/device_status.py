"""What a device does now, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from trimtab.fleet.live import Seen
from trimtab.fleet.status import DeviceStatus
from trimtab.fleet.telemetry import figure_text

_FIGURES = (("temperature_c", "temp"), ("power_w", "power"), ("cpu_busy", "load"))
_UNKNOWN = "–"
_FRAME_LINES = 4  # of a table: above, the headings, below them, the end
_UNTIL_IT_ENDS = ", until the job ends"


def holder_text(status: DeviceStatus) -> str:
    """ "" where nobody holds it."""
    holder = _holder(status)
    held = f"held by {holder}" if holder else ""
    if status.holder is None and holder:
        held += _UNTIL_IT_ENDS
    return ", ".join(filter(None, (held, f"{len(status.waiting)} wait" if status.waiting else "")))


def doing_text(status: DeviceStatus) -> str:
    """ "" where no job is there."""
    job = status.running
    queued = f"{status.queued} queued" if status.queued else ""
    if job is None:
        return queued
    arm = f" {job.arm}, repeat {job.repeat_index + 1}" if job.arm else ""
    return f"{job.state}{arm} for {job.running_s:.0f} s" + (f", {queued}" if queued else "")


def _holder(status: DeviceStatus) -> str:
    """Where no lease is in force, of the job that runs; "" where there is neither."""
    if status.holder is not None:
        return status.holder or "somebody"
    return (status.running.holder or "somebody") if status.running else ""


@dataclass(frozen=True)
class FleetTable:
    """Those with a problem first. A screen does not scroll: where they do not fit, each gets one
    line, and the last one counts the others."""

    seen: Sequence[Seen]

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        whole, height = _table(self.seen), options.max_height
        if not console.is_alt_screen or len(console.render_lines(whole, options)) <= height:
            yield whole
            return
        room = height - _FRAME_LINES
        if len(self.seen) > room:
            room = max(room - 1, 0)
        yield _table(self.seen[:room], one_line=True)
        if more := len(self.seen[room:]):
            yield Text(f"and {more} more")


def fleet_table(seen: Mapping[str, Seen]) -> FleetTable:
    return FleetTable(sorted(seen.values(), key=lambda one: not one.problem))


def _table(seen: Sequence[Seen], one_line: bool = False) -> Table:
    table = Table()
    table.add_column("device", no_wrap=one_line)
    for heading in ("holder", "waits", "job"):
        table.add_column(heading)  # these give way first, where it is narrow
    for heading in (*dict(_FIGURES).values(), "mem free", "disk free", "results"):
        table.add_column(heading, justify="right", no_wrap=one_line)
    for one in seen:
        table.add_row(*(Text(cell, no_wrap=one_line, overflow="ellipsis") for cell in _cells(one)))
    return table


def seen_row(seen: Seen) -> dict[str, Any]:
    """For programs: null where the device does not tell."""
    status = seen.status
    told = {name: seen.telemetry.get(name) for name in (*dict(_FIGURES), "memory_available_mb")}
    problem = {"problem": seen.problem or None, "advice": seen.advice or None}
    row = {"device": seen.device, **problem, "telemetry": told}
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
        return f"{seen.device}: {_problem(seen)}"
    status = seen.status
    if status is None:
        return f"{seen.device}: connected"
    job = status.running
    what = f"{job.state} {job.arm} repeat {job.repeat_index + 1}" if job else "no job"
    return "; ".join(filter(None, (f"{seen.device}: {what}", holder_text(status))))


def _problem(seen: Seen) -> str:
    return f"{seen.problem} ({seen.advice})" if seen.advice else seen.problem


def _cells(seen: Seen) -> list[str]:
    if seen.problem:
        return [seen.device, "", "", _problem(seen), *[""] * 6]
    figures = [figure_text(seen.telemetry, name) or _UNKNOWN for name, _ in _FIGURES]
    available = seen.telemetry.get("memory_available_mb")
    memory = _UNKNOWN if available is None else f"{available:.0f} MB"
    status = seen.status
    if status is None:
        return [seen.device, "", "", "", *figures, memory, "", ""]
    held = _holder(status)
    if held:
        left = status.holder is not None
        held += f" ({status.held_s:.0f} s left)" if left else _UNTIL_IT_ENDS
    disk = f"{status.disk_free_bytes / 1e9:.1f} GB"
    waiting, results = ", ".join(status.waiting), str(status.results_waiting)
    return [seen.device, held, waiting, doing_text(status), *figures, memory, disk, results]
