"""How many processes and threads a worker may have: a control group, else the agent's look alone.

Once a second one small file is read: version 1 of control groups tells nobody when one is full.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from trimtab_agent.worker.isolation.counts import tasks_of_session, tasks_of_system
from trimtab_agent.worker.isolation.state import Missing, reason

_ROOT = Path("/")
_LOOK_S = 1.0
_EMPTY_WITHIN_S = 0.5


class TaskGroup:
    """A control group for one worker, made by the agent. Raises Missing with the reason."""

    def __init__(self, limit: int, root: Path = _ROOT) -> None:
        parent = _parent(root)
        _clear_up(parent)
        self.folder = parent / f"{_prefix()}{os.getpid()}-{uuid.uuid4().hex[:8]}"
        try:
            self.folder.mkdir()
        except OSError as error:
            raise reason(error, "the agent may make no control group") from error
        try:
            (self.folder / "pids.max").write_text(str(limit))
        except OSError as error:
            self.folder.rmdir()
            raise reason(error, "the agent's control group hands no pids controller on") from error

    @property
    def door(self) -> Path:
        """A process that writes 0 here is in the group, with all that it starts."""
        return self.folder / "cgroup.procs"

    @property
    def is_full(self) -> bool:
        """Whether a process was refused so far."""
        try:
            told = (self.folder / "pids.events").read_text().split()
        except OSError:
            return False
        return len(told) > 1 and told[1] != "0"

    def kill(self) -> None:
        _kill_members(self.folder)

    def close(self) -> None:
        """Kill what is left and take the group away."""
        self.kill()
        until = time.monotonic() + _EMPTY_WITHIN_S
        while time.monotonic() < until:  # the dead stay in it for a moment
            try:
                self.folder.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.001)


def _kill_members(folder: Path) -> None:
    """Until there are none: what is being started meanwhile is caught too."""
    until = time.monotonic() + _EMPTY_WITHIN_S
    while (pids := list(_members(folder))) and time.monotonic() < until:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _members(folder: Path) -> Iterator[int]:
    with contextlib.suppress(OSError):
        yield from (int(line) for line in (folder / "cgroup.procs").read_text().split())


async def look_now_and_then(is_full: Callable[[], bool], on_full: Callable[[], None]) -> None:
    """Once a second, until it is."""
    while not is_full():  # noqa: ASYNC110 - a file of the kernel's sets no event
        await asyncio.sleep(_LOOK_S)
    on_full()


def fuller_than(limit: int, leader: int) -> Callable[[], bool]:
    """Where there is no group: whose they are is looked up only where the system's count rose."""
    before = tasks_of_system()

    def is_full() -> bool:
        return tasks_of_system() - before > limit and tasks_of_session(leader) > limit

    return is_full


def _parent(root: Path) -> Path:
    """The group of this process, whose children may be limited; in either version's hierarchy."""
    mount = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError as error:
        raise reason(error, "this kernel has no control groups") from error
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "pids" in controllers.split(","):
            return _nearest(mount / "pids", path)
    if not (mount / "cgroup.controllers").is_file():
        raise Missing("no control groups with a pids controller are mounted")
    own = _nearest(mount, lines[-1].split(":", 2)[2])
    try:
        handed_on = (own / "cgroup.subtree_control").read_text().split()
    except OSError as error:
        raise reason(error, "the agent's control group cannot be read") from error
    if "pids" not in handed_on:
        raise Missing("the agent's control group hands no pids controller on")
    return own


def _prefix() -> str:
    """With the number of the namespace in which process numbers mean what they do here."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        namespace = "0"
    return f"trimtab-worker-{namespace}-"


def _clear_up(parent: Path) -> None:
    """Groups of agents that were killed: a worker dies with its agent, what it started does not."""
    for folder in parent.glob(f"{_prefix()}*-*"):
        agent = folder.name.removeprefix(_prefix()).partition("-")[0]
        if not Path("/proc", agent).exists():
            _kill_members(folder)
            with contextlib.suppress(OSError):
                folder.rmdir()


def _nearest(top: Path, path: str) -> Path:
    """In a container the path may be the host's, and only the mounted root is there."""
    own = top / path.lstrip("/")
    return own if own.is_dir() else top
