"""How many processes and threads a worker may have: a control group of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from pathlib import Path

from trimtab_agent.worker.isolation.group_place import members, place_for_groups
from trimtab_agent.worker.isolation.state import reason

_ROOT = Path("/")
_EMPTY_WITHIN_S = 0.5


class TaskGroup:
    """A control group for one worker, made by the agent. Raises Missing with the reason."""

    def __init__(self, limit: int, root: Path = _ROOT) -> None:
        parent = place_for_groups(root)
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
        """Whether a process was refused so far. Version 1 tells nobody when that happens."""
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
    while (pids := list(members(folder))) and time.monotonic() < until:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


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
