"""What the kernel says of this process's resident memory, in bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_PROCESS = Path("/proc/self")
_RESET_PEAK = "5"  # proc(5): resets VmHWM to the current resident size
_KIB = 1024


@dataclass(frozen=True)
class Resident:
    """None: the system does not tell. ``file_backed``: pages of files, which it can drop."""

    total: int | None
    file_backed: int | None


def read_resident(process: Path = _PROCESS) -> Resident:
    """From ``smaps_rollup``, which counts pages; else from ``status``.

    The counters in ``status`` were batched before Linux 6.17: up to 64 pages a thread behind.
    """
    status = sizes_of(process / "status")
    exact = sizes_of(process / "smaps_rollup")
    if "Rss" not in exact or "Anonymous" not in exact:
        return Resident(status.get("VmRSS"), status.get("RssFile"))
    shared_memory = status.get("RssShmem", 0)  # has no file behind it
    return Resident(exact["Rss"], max(exact["Rss"] - exact["Anonymous"] - shared_memory, 0))


def read_peak(process: Path = _PROCESS) -> int | None:
    """The most that was resident at once since :func:`reset_peak`."""
    return sizes_of(process / "status").get("VmHWM")


def reset_peak(process: Path = _PROCESS) -> bool:
    """Whether the kernel let the peak be reset; without it a peak would be an older phase's."""
    try:
        (process / "clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def sizes_of(file: Path) -> dict[str, int]:
    """The lines ``Name:  123 kB`` of the file; none where it cannot be read."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    words = (line.split() for line in lines)
    return {
        each[0].removesuffix(":"): int(each[1]) * _KIB
        for each in words
        if len(each) == 3 and each[2] == "kB"
    }
