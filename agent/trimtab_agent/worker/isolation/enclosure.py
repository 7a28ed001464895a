"""The agent's side of a worker's limits: its folder, its control group, its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from trimtab_agent.worker.isolation.counts import most_tasks, tasks_of_system
from trimtab_agent.worker.isolation.orphans import ORPHANS
from trimtab_agent.worker.isolation.other_user import give_to, other_user
from trimtab_agent.worker.isolation.state import SWITCH_OFF, Missing
from trimtab_agent.worker.isolation.tasks import TaskGroup
from trimtab_agent.worker.memory_look import MemoryLook
from trimtab_agent.worker.messages import WorkerTask

_LOOK_S = 1.0


class Enclosure:
    """Around one worker: :meth:`end` kills it, :meth:`close` must be called once it is dead.

    ``overfull``: it had too many processes. ``kept_bytes``: it kept so much in memory, more than
    it may; 0: it did not.
    """

    def __init__(self, task: WorkerTask, scratch: Path) -> None:
        self.overfull = False
        self.kept_bytes = 0
        self._work = scratch / f"work-{uuid.uuid4().hex}"
        self._group: TaskGroup | None = None
        self._group_missing = ""
        self._is_overfull: Callable[[], bool] = lambda: False
        self._memory: MemoryLook | None = None
        self._look: asyncio.Task[None] | None = None
        self._leader = 0
        self._task = task
        self._off = bool(os.environ.get(SWITCH_OFF))
        self._expects_orphans = False

    def open(self) -> WorkerTask:
        """The task as the worker gets it."""
        if self._off:
            return self._task
        ORPHANS.expect()
        self._expects_orphans = True
        self._work.mkdir(mode=0o700)
        try:
            self._group = TaskGroup(most_tasks())
        except Missing as error:
            self._group_missing = str(error)
        return replace(
            self._as_other_user(),
            work_path=str(self._work),
            task_group="" if self._group is None else str(self._group.door),
            group_missing=self._group_missing,
        )

    def _as_other_user(self) -> WorkerTask:
        """Who gets the folders that it writes in."""
        try:
            user = other_user(self._work.parent)
        except Missing as error:
            return replace(self._task, user_missing=str(error))
        task = self._task
        folders = [self._work]
        if task.outputs_path:
            folders.append(Path(task.outputs_path).parent)
        if task.cache_path:
            Path(task.cache_path).mkdir(parents=True, exist_ok=True)
            folders.append(Path(task.cache_path))
        give_to(user, folders)
        return replace(
            task,
            user_name=user.name,
            user_id=user.uid,
            group_id=user.gid,
            group_ids=user.groups,
        )

    def watch(self, leader: int) -> None:
        """Once the worker runs; ``leader`` is its process, session and group."""
        self._leader = leader
        if not self._off:
            group = self._group
            by_number = _fuller_than(most_tasks(), leader)
            self._is_overfull = by_number if group is None else lambda: group.is_full
        if limit := self._task.kept_limit_bytes:
            self._memory = MemoryLook(limit, leader, self._members)
        if not self._off or self._memory is not None:
            self._look = asyncio.ensure_future(self._look_now_and_then())

    async def _look_now_and_then(self) -> None:
        """Once a second: neither a group that is full nor memory that is used wakes anybody."""
        while not self._is_beyond():
            if self._expects_orphans:
                ORPHANS.reap_now_and_then()
            await asyncio.sleep(_LOOK_S)
        self._kill()

    def _is_beyond(self) -> bool:
        self.overfull = self.overfull or self._is_overfull()
        if self._memory is not None and not self.kept_bytes:
            self.kept_bytes = self._memory.beyond()
        return self.overfull or bool(self.kept_bytes)

    def _members(self) -> list[int]:
        return [each.pid for each in ORPHANS.members(self._leader)]

    def end(self) -> None:
        """Kill it and what it started, wherever that went."""
        # One that ended of its limit by itself may have done so since the last look.
        self.overfull = self.overfull or self._is_overfull()
        self._kill()

    def _kill(self) -> None:
        if self._leader:  # group 0 would be the agent's own
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._leader, signal.SIGKILL)
        if self._group is not None:
            self._group.kill()
        if self._expects_orphans:
            ORPHANS.end(self._leader)

    def close(self) -> None:
        """Nothing that it started or wrote is left."""
        if self._look is not None:
            self._look.cancel()
        ORPHANS.forget(self._leader)
        if self._expects_orphans:
            if not self._leader:  # it was cancelled while it started
                ORPHANS.end()
            self._expects_orphans = False
            ORPHANS.expect_no_more()
        if self._group is not None:
            self._group.close()
        shutil.rmtree(self._work, ignore_errors=True)


def _fuller_than(limit: int, leader: int) -> Callable[[], bool]:
    """Without a group: whose they are is looked up only where the system's count rose."""
    before = tasks_of_system()

    def is_full() -> bool:
        return tasks_of_system() - before > limit and ORPHANS.count_tasks(leader) > limit

    return is_full
