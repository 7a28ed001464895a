"""Whether a worker keeps more in memory than the device's owner lets it.

What counts is what can only be kept or swapped: address space that was merely reserved does not,
nor do pages of files, which a kernel short of memory drops. So no runtime fails of it that the
device could have run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from trimtab_agent.paging import meminfo
from trimtab_agent.worker.oom import group_limit_bytes
from trimtab_agent.worker.resident import sizes_of

_ROOT = Path("/")
_SHARE = 0.8


def kept_limit_bytes(asked: int | None, root: Path = _ROOT) -> int:
    """Nothing asked: what leaves agent and system their room. 0: none, or it cannot be told."""
    if asked is not None:
        return asked
    told = (meminfo(root).get("MemTotal"), group_limit_bytes(root))
    return int(min((size for size in told if size), default=0) * _SHARE)


class MemoryLook:
    """``members``: the numbers of the worker's processes.

    They are asked for, which costs a walk through all of the device's, only where the device has
    so much less; and at looks 2, 4, 8 and so on, as others may have given back meanwhile what
    these took.
    """

    def __init__(
        self,
        limit_bytes: int,
        leader: int,
        members: Callable[[], Iterable[int]],
        root: Path = _ROOT,
    ) -> None:
        self._limit = limit_bytes
        self._leader = leader
        self._members = members
        self._root = root
        self._before = _used(root)
        self._looks = 0

    def beyond(self) -> int:
        """What is kept, in bytes, where that is more than the limit; else 0."""
        alone = self._kept_by(self._leader)
        if alone > self._limit:
            return alone
        if not self._is_time_to_ask_all():
            return 0
        pids = tuple(self._members())
        if sum(map(self._kept_by, pids)) <= self._limit:
            return 0
        together = sum(map(self._share_of, pids))
        return together if together > self._limit else 0

    def _is_time_to_ask_all(self) -> bool:
        self._looks += 1
        is_power_of_two = self._looks & (self._looks - 1) == 0
        return (self._looks > 1 and is_power_of_two) or (
            _used(self._root) - self._before > self._limit
        )

    def _kept_by(self, pid: int) -> int:
        told = sizes_of(self._root / "proc" / str(pid) / "status")
        if "RssAnon" not in told:  # before Linux 4.5
            return told.get("VmRSS", 0)
        return told["RssAnon"] + told.get("RssShmem", 0) + told.get("VmSwap", 0)

    def _share_of(self, pid: int) -> int:
        """Pages that a forked child has in common with others count once, among all of them."""
        told = sizes_of(self._root / "proc" / str(pid) / "smaps_rollup")
        if "Pss_Anon" not in told:  # before Linux 5.4
            return self._kept_by(pid)
        return told["Pss_Anon"] + told.get("Pss_Shmem", 0) + told.get("SwapPss", 0)


def _used(root: Path) -> int:
    """By the whole device; falls where others give memory back, so it is a first look alone."""
    told = meminfo(root)
    return told.get("MemTotal", 0) - told.get("MemAvailable", 0)
