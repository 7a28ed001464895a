"""Whether memory was short: what /proc/meminfo says, and pages that had to come from a disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.probes.sysfs import read_text

_MAJOR_FAULTS = 9  # fields after the name in proc(5)'s /proc/PID/stat: majflt is the twelfth of all
_KIB = 1024
FAULT_LIMIT = 0.01  # of the samples: what a p99 leaves out


@dataclass(frozen=True)
class Paging:
    """``swapped``: pages of the whole machine, in and out; ``major_faults``: the worker's.

    Counted since boot and since the worker's start, or between two moments.
    """

    swapped: int
    major_faults: int

    def keeps_waiting(self, sample_count: int) -> bool:
        """Whether the worker waited for pages often enough to be seen in its latencies.

        A single page of the file may be read late by chance; with swapping, none is by chance.
        """
        return self.major_faults > (0 if self.swapped else FAULT_LIMIT * sample_count)


def meminfo(root: Path) -> dict[str, int]:
    """Bytes, of proc/meminfo; empty where there is none."""
    found: dict[str, int] = {}
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        name, _, value = line.partition(":")
        amount, *unit = value.split() or [""]
        if amount.isdigit():
            found[name] = int(amount) * (_KIB if unit == ["kB"] else 1)
    return found


def swapped_pages(root: Path) -> int | None:
    """In and out since boot; None where the kernel does not tell."""
    counts = dict(
        line.split(maxsplit=1) for line in (read_text(root / "proc/vmstat") or "").splitlines()
    )
    try:
        return int(counts["pswpin"]) + int(counts["pswpout"])
    except (KeyError, ValueError):
        return None


def paging_so_far(root: Path, worker_pids: Iterable[int]) -> Paging | None:
    """None where the kernel does not tell, or a worker is gone."""
    swapped, faults = swapped_pages(root), [_major_faults(pid) for pid in worker_pids]
    known = [count for count in faults if count is not None]
    return None if swapped is None or len(known) < len(faults) else Paging(swapped, sum(known))


def paging_between(before: Paging | None, after: Paging | None) -> Paging | None:
    """None where one is missing."""
    if before is None or after is None:
        return None
    return Paging(after.swapped - before.swapped, after.major_faults - before.major_faults)


def paging_together(first: Paging | None, second: Paging | None) -> Paging | None:
    """Of two stretches; the one that is known where the other is not."""
    if first is None or second is None:
        return first or second
    return Paging(first.swapped + second.swapped, first.major_faults + second.major_faults)


def _major_faults(pid: int) -> int | None:
    """From the machine's own /proc, where the worker really runs."""
    text = read_text(Path(f"/proc/{pid}/stat"))
    if text is None:
        return None
    fields = text.rpartition(")")[2].split()
    return int(fields[_MAJOR_FAULTS]) if len(fields) > _MAJOR_FAULTS else None
