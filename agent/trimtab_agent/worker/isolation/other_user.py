"""The user that workers become: one who owns nothing here, so that the agent's files are not its.

Only an agent that runs as root may choose; where the other user could not read Python, the
runtimes or the model, the worker stays what the agent is, and the job says why.
"""

from __future__ import annotations

import ctypes
import functools
import grp
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.worker.isolation.places import accelerator_nodes
from trimtab_agent.worker.isolation.state import SWITCH_OFF, Missing

USER_VARIABLE = "TRIMTAB_WORKER_USER"
USUAL_USER = "trimtab-worker"
_PR_SET_DUMPABLE = 4  # linux/prctl.h
_IMPORT_WITHIN_S = 60.0
_ONLY_GROUP_PASSES = 0o710


@dataclass(frozen=True)
class OtherUser:
    """``groups``: beside its own, those that the nodes of accelerators belong to."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]


def other_user(folder: Path) -> OtherUser:
    """Whom a worker that reads below ``folder`` becomes. Raises Missing with the reason."""
    name = os.environ.get(USER_VARIABLE, "")
    if os.geteuid() != 0:
        raise Missing("the agent does not run as root, and cannot make its workers another user")
    try:
        entry = pwd.getpwnam(name or USUAL_USER)
    except KeyError:
        how = f"useradd --system --no-create-home {name or USUAL_USER}"
        raise Missing(f"there is no user {name or USUAL_USER}: {how}") from None
    if entry.pw_uid == 0:
        raise Missing(f"{entry.pw_name} is root itself")
    of_nodes = _groups_of(accelerator_nodes())
    of_user = {each.gr_gid for each in grp.getgrall() if entry.pw_name in each.gr_mem}
    groups = tuple(sorted(of_nodes | of_user))
    user = OtherUser(entry.pw_name, entry.pw_uid, entry.pw_gid, groups)
    _require_python(user)
    if (barred := first_barred(folder, user)) is not None:
        raise Missing(
            f"{user.name} cannot pass {barred}: give the agent a --state that all may pass, such "
            "as /var/lib/trimtab-agent"
        )
    return user


def let_workers_pass(state: Path) -> None:
    """The folder is its owner's alone: the worker's group may pass it too, and not list it."""
    if os.environ.get(SWITCH_OFF):  # workers stay who the agent is
        return
    try:
        user = other_user(state.parent)
    except Missing:
        return
    os.chown(state, -1, user.gid)
    state.chmod(_ONLY_GROUP_PASSES)


def become(user: OtherUser) -> None:
    """For good. Raises OSError. Afterwards the kernel has forgotten whose death ends this one."""
    os.setgroups(user.groups)
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    # Else its own entries below /proc would stay root's, and with them its memory's figures.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def give_to(user: OtherUser, folders: Iterable[Path]) -> None:
    for folder in folders:
        os.chown(folder, user.uid, user.gid, follow_symlinks=False)


def first_barred(folder: Path, user: OtherUser) -> Path | None:
    """The first folder on the way to ``folder`` that ``user`` may not pass, by its mode alone."""
    way = folder.resolve()
    for each in (*reversed(way.parents), way):
        found = each.stat()
        shift = 0
        if found.st_uid == user.uid:
            shift = 6
        elif found.st_gid in (user.gid, *user.groups):
            shift = 3
        if not found.st_mode >> shift & stat.S_IXOTH:
            return each
    return None


def _groups_of(nodes: Sequence[Path]) -> set[int]:
    """Root's group opens more than a device: it is left out."""
    found = (node.stat() for node in nodes if not node.is_dir())
    return {each.st_gid for each in found if each.st_mode & stat.S_IWGRP and each.st_gid}


@functools.lru_cache(maxsize=4)
def _import_error(user: OtherUser) -> str:
    try:
        ran = subprocess.run(
            [sys.executable, "-c", "import trimtab_agent.worker.__main__, numpy"],
            user=user.uid,
            group=user.gid,
            extra_groups=list(user.groups),
            cwd="/",
            env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=_IMPORT_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return getattr(error, "strerror", None) or type(error).__name__
    return "" if ran.returncode == 0 else (ran.stderr.strip().splitlines() or ["no answer"])[-1]


def _require_python(user: OtherUser) -> None:
    if error := _import_error(user):
        raise Missing(
            f"{user.name} cannot use {sys.executable} ({error}): install the agent where all may "
            "read, such as /opt"
        )
