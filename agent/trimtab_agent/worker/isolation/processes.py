"""Who is whose child, as /proc tells it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """``start``: in ticks since boot; a number is given again, not at the same tick."""

    pid: int
    state: str
    parent: int
    session: int
    threads: int
    start: int

    @property
    def is_dead(self) -> bool:
        """It waits to be reaped, or is just being taken away."""
        return self.state in "ZXx"


Processes = Mapping[int, Process]


def all_processes(proc: Path = _PROC) -> Processes:
    """Of this process's namespace; those that end meanwhile are left out."""
    return {each.pid: each for each in _read(proc)}


def with_descendants(leaders: Iterable[int], known: Processes) -> list[Process]:
    """The leaders that are there, and all below them by the chain of parents."""
    children: dict[int, list[int]] = {}
    for each in known.values():
        children.setdefault(each.parent, []).append(each.pid)
    found: dict[int, Process] = {}
    waiting = list(leaders)
    while waiting:
        pid = waiting.pop()
        if pid in known and pid not in found:
            found[pid] = known[pid]
            waiting += children.get(pid, ())
    return list(found.values())


def _read(proc: Path) -> Iterator[Process]:
    try:
        entries = [entry for entry in proc.iterdir() if entry.name.isdecimal()]
    except OSError:
        return
    for entry in entries:
        with contextlib.suppress(OSError, ValueError, IndexError):
            # A name may hold blanks and brackets itself.
            words = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            yield Process(
                pid=int(entry.name),
                state=words[0],
                parent=int(words[1]),
                session=int(words[3]),
                threads=int(words[17]),
                start=int(words[19]),
            )
