"""What workers started and left behind: this process inherits it, and ends it.

A worker is the subreaper of all that it starts: whatever sessions its children made and whoever
of them died, they are below it by the chain of parents while it lives. With its own end they come
to this process, which is subreaper for as long as a worker of its runs.

There they are told from this process's own children by their session: nothing enters a session
that exists already, so what a worker started is never in ours, and our helpers are. Our children
that do lead one are begun by :meth:`Orphans.start_leader`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trimtab_agent.worker.isolation.processes import (
    Process,
    Processes,
    all_processes,
    with_descendants,
)
from trimtab_agent.worker.isolation.system import keep_orphans

_GONE_WITHIN_S = 1.0
_DYING_S = 0.002
# Far longer than a helper of ours may be dead before whoever waits for it has noticed.
_REAP_EVERY_S = 10.0
_HAS_SUCH_THINGS = sys.platform.startswith(("linux", "android"))


class Orphans:
    """One for a process: what it inherits is not told apart by worker."""

    def __init__(self) -> None:
        self._leaders: set[int] = set()
        self._starting = 0
        self._put_off = False
        self._workers = 0
        self._since = 0
        self._dead_before: set[Process] = set()
        self._looked = 0.0

    def expect(self) -> None:
        """Call it before a worker starts, and :meth:`expect_no_more` once it is gone."""
        if not self._workers and _HAS_SUCH_THINGS:
            ticks = time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")
            self._since = int(ticks) - 1
            keep_orphans(True)
        self._workers += 1

    def expect_no_more(self) -> None:
        self._workers -= 1
        if not self._workers and _HAS_SUCH_THINGS:
            keep_orphans(False)

    async def start_leader(self, *command: str, **options: Any) -> asyncio.subprocess.Process:
        """A child with a session of its own; :meth:`forget` it once it was waited for."""
        self._starting += 1
        try:
            process = await asyncio.create_subprocess_exec(
                *command, start_new_session=True, **options
            )
            self._leaders.add(process.pid)
        finally:
            self._starting -= 1
            if self._put_off and not self._starting:
                self._put_off = False
                self.end()
        return process

    def forget(self, leader: int) -> None:
        self._leaders.discard(leader)

    def count_tasks(self, leader: int) -> int:
        """Processes and threads of a worker, and what left it where that can only be this one."""
        return sum(each.threads for each in self.members(leader))

    def members(self, leader: int) -> list[Process]:
        known = all_processes()
        left = self._left(known) if self._workers == 1 else []
        return _families(leader, left, known)

    def end(self, leader: int = 0) -> None:
        """Kill a worker with all that is below it, and what dead ones left, and reap that.

        Until there is none: what is being started meanwhile is caught too.
        """
        until = time.monotonic() + _GONE_WITHIN_S
        while True:
            known = all_processes()
            left = self._left(known)
            living = [each for each in _families(leader, left, known) if not each.is_dead]
            for each in living:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(each.pid, signal.SIGKILL)
            _reap(left)
            if not living or time.monotonic() > until:
                return
            time.sleep(_DYING_S)

    def reap_now_and_then(self) -> None:
        """What a helper of ours left came to us as well: the dead that nobody waits for."""
        now = time.monotonic()
        if now - self._looked < _REAP_EVERY_S:
            return
        self._looked = now
        dead = set(self._dead_children()) if _any_is_dead() else set()
        _reap(dead & self._dead_before)
        self._dead_before = dead

    def _dead_children(self) -> list[Process]:
        own = os.getpid()
        return [
            each
            for each in all_processes().values()
            if each.parent == own and each.is_dead and each.pid not in self._leaders
        ]

    def _left(self, known: Processes) -> list[Process]:
        """Not what is being started just now: it may be ours, and leads a session."""
        own, session = os.getpid(), os.getsid(0)
        left = []
        for each in known.values():
            is_ours = each.session == session or each.pid in self._leaders
            if each.parent != own or is_ours or each.start < self._since:
                continue
            if self._starting and each.session == each.pid:
                self._put_off = True
            elif _may_be_a_workers(each.pid):
                left.append(each)
        return left


def _families(leader: int, left: Iterable[Process], known: Processes) -> list[Process]:
    """A leader's number may be another's by now, where it was waited for."""
    is_there = leader in known and known[leader].parent == os.getpid()
    leaders = [leader] if is_there else []
    return with_descendants([*leaders, *(each.pid for each in left)], known)


def _may_be_a_workers(pid: int) -> bool:
    """A worker and what it starts can gain no privileges, and cannot take that back."""
    try:
        return "NoNewPrivs:\t0" not in Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return False


def _any_is_dead() -> bool:
    """One call of the kernel, and nobody is reaped by it."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except (ChildProcessError, AttributeError):
        return False


def _reap(children: Iterable[Process]) -> None:
    """Those of them that are dead."""
    for each in children:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(each.pid, os.WNOHANG)


ORPHANS = Orphans()
