"""Below which control group workers get theirs, and what the agent does to be let.

In version 2 a group that holds processes hands no controller on to groups below it. So the agent
goes from the one that was delegated to it into a group below, workers get theirs beside that.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from trimtab_agent.worker.isolation.processes import all_processes
from trimtab_agent.worker.isolation.state import Missing, reason

AGENTS_OWN = "trimtab-agent-itself"
_ROOT = Path("/")
_MAY_MAKE_NONE = "the agent may make no control group"
_HANDS_NONE_ON = "the agent's control group hands no pids controller on"


def place_for_groups(root: Path = _ROOT) -> Path:
    """Where the agent may make a group with a limit; in either version. Raises Missing."""
    mount = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError as error:
        raise reason(error, "this kernel has no control groups") from error
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "pids" in controllers.split(","):
            return _nearest(mount / "pids", path)
    if not lines or not (mount / "cgroup.controllers").is_file():
        raise Missing("no control groups with a pids controller are mounted")
    return _delegated(_nearest(mount, lines[-1].split(":", 2)[2]))


def members(folder: Path) -> Iterator[int]:
    with contextlib.suppress(OSError):
        yield from (int(line) for line in (folder / "cgroup.procs").read_text().split())


def _delegated(own: Path) -> Path:
    """The group that hands the controller on, with the agent in a group below it."""
    if own.name == AGENTS_OWN:
        _hand_on(own.parent)
        return own.parent
    if not (own / "cgroup.type").is_file():  # the very first group may hold processes
        _hand_on(own)
        return own
    if "pids" not in _words(own / "cgroup.controllers"):
        raise Missing(_HANDS_NONE_ON)
    _go_below(own)
    try:
        _hand_on(own)
    except Missing:
        _come_back(own)
        raise
    return own


def _hand_on(folder: Path) -> None:
    switched_on = folder / "cgroup.subtree_control"
    if "pids" in _words(switched_on):
        return
    try:
        switched_on.write_text("+pids")
    except OSError as error:  # EBUSY: it holds others' processes too
        raise reason(error, _HANDS_NONE_ON) from error


def _go_below(delegated: Path) -> None:
    """The agent and its helpers; what else is in the group stays."""
    below = delegated / AGENTS_OWN
    agent = os.getpid()
    known = all_processes()
    helpers = [pid for pid in members(delegated) if pid in known and known[pid].parent == agent]
    try:
        below.mkdir(exist_ok=True)
        _move(agent, below)
    except OSError as error:
        with contextlib.suppress(OSError):
            below.rmdir()
        raise reason(error, _MAY_MAKE_NONE) from error
    for pid in helpers:
        with contextlib.suppress(OSError):  # it has ended
            _move(pid, below)


def _come_back(delegated: Path) -> None:
    below = delegated / AGENTS_OWN
    for pid in members(below):
        with contextlib.suppress(OSError):
            _move(pid, delegated)
    with contextlib.suppress(OSError):
        below.rmdir()


def _move(pid: int, folder: Path) -> None:
    (folder / "cgroup.procs").write_text(str(pid))


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError as error:
        raise reason(error, "the agent's control group cannot be read") from error


def _nearest(top: Path, path: str) -> Path:
    """In a container the path may be the host's, and only the mounted root is there."""
    own = top / path.lstrip("/")
    return own if own.is_dir() else top
