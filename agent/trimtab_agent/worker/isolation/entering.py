"""The worker isolates itself, part by part, before it imports any runtime."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from trimtab_agent.worker.isolation.counts import most_tasks, tasks_of_system
from trimtab_agent.worker.isolation.landlock import confine_writes
from trimtab_agent.worker.isolation.lookout import look_out
from trimtab_agent.worker.isolation.other_user import OtherUser, become
from trimtab_agent.worker.isolation.places import (
    output_places,
    settle_in,
    writable_places,
)
from trimtab_agent.worker.isolation.seccomp import filter_calls
from trimtab_agent.worker.isolation.state import SWITCH_OFF, Isolation, Missing, reason
from trimtab_agent.worker.isolation.system import forbid_new_privileges, keep_orphans
from trimtab_agent.worker.messages import WorkerTask

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # linux/sched.h


def isolate(task: WorkerTask, stop: Callable[[str], None]) -> Isolation:
    """What came of it; never raises for a part that cannot be had.

    ``stop`` ends the worker with what it tried, and does not return.
    """
    found = Isolation()
    if os.environ.get(SWITCH_OFF):
        found.missing["everything"] = "switched off by the device's owner (--no-isolation)"
        return found
    if not sys.platform.startswith(("linux", "android")):
        found.missing["everything"] = f"{sys.platform} has none of what it is made of"
        return found
    settle_in(task)
    keep_orphans(True)  # so that what it starts is found below it
    places = writable_places(task)
    with _part(found, "limit of processes"):
        found.in_force.append(_limit_tasks(task))
    with _part(found, "another user"):
        found.in_force.append(_become_other(task))
    with _part(found, "no new privileges"):
        forbid_new_privileges()
        found.in_force.append("no new privileges")
    with _part(found, "landlock"):
        found.in_force.append(f"landlock {confine_writes(places, output_places(task))}")
    with _part(found, "seccomp"):
        filter_calls()
        found.in_force += ["seccomp", "no network"]
    if "seccomp" in found.missing:
        with _part(found, "network"):
            _leave_network()
            found.in_force.append("no network")
    look_out(places, stop)
    found.in_force.append("Python watched")
    return found


@contextmanager
def _part(found: Isolation, name: str) -> Iterator[None]:
    try:
        yield
    except Missing as error:
        found.missing[name] = str(error)
    except OSError as error:
        found.missing[name] = str(reason(error, error.strerror or "refused"))


def _limit_tasks(task: WorkerTask) -> str:
    """Raises Missing where nothing but the agent's look now and then limits them."""
    limit = most_tasks()
    if task.task_group:
        Path(task.task_group).write_text("0", encoding="ascii")
        return f"at most {limit} processes and threads"
    if os.geteuid() != 0:
        # It counts all that the user has; the agent's look is what tells whose they are.
        most = tasks_of_system() + 2 * limit
        hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
    raise Missing(
        f"{task.group_missing or 'no control group'}; the agent looks once a second whether there "
        f"are more than {limit}"
    )


def _become_other(task: WorkerTask) -> str:
    if not task.user_name:
        raise Missing(task.user_missing or "not asked for")
    become(OtherUser(task.user_name, task.user_id, task.group_id, task.group_ids))
    return f"user {task.user_name}"


def _leave_network() -> None:
    """A network of its own, with nothing in it: where there is no filter of system calls."""
    libc = ctypes.CDLL(None, use_errno=True)
    kinds = _NEW_NETWORK if os.geteuid() == 0 else _NEW_NETWORK | _NEW_USER
    if libc.unshare(kinds) != 0:
        code = ctypes.get_errno()
        raise reason(OSError(code, ""), "no network of its own can be had")
