"""The agent's side of a worker's isolation: its folder, its control group, its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import uuid
from dataclasses import replace
from pathlib import Path

from trimtab_agent.worker.isolation.counts import most_tasks
from trimtab_agent.worker.isolation.other_user import give_to, other_user
from trimtab_agent.worker.isolation.state import SWITCH_OFF, Missing
from trimtab_agent.worker.isolation.tasks import (
    TaskGroup,
    fuller_than,
    look_now_and_then,
)
from trimtab_agent.worker.messages import WorkerTask


class Enclosure:
    """Around one worker; :meth:`close` must be called once the worker is dead."""

    def __init__(self, task: WorkerTask, scratch: Path) -> None:
        self.overfull = False
        self._work = scratch / f"work-{uuid.uuid4().hex}"
        self._group: TaskGroup | None = None
        self._group_missing = ""
        self._look: asyncio.Task[None] | None = None
        self._leader = 0
        self._task = task
        self._off = bool(os.environ.get(SWITCH_OFF))

    def open(self) -> WorkerTask:
        """The task as the worker gets it."""
        if self._off:
            return self._task
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
            limit = most_tasks()
            group = self._group
            is_full = fuller_than(limit, leader) if group is None else lambda: group.is_full
            self._look = asyncio.ensure_future(look_now_and_then(is_full, self._stop))

    def _stop(self) -> None:
        self.overfull = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._leader, signal.SIGKILL)
        if self._group is not None:
            self._group.kill()

    def close(self) -> None:
        """Nothing that it started or wrote is left."""
        if self._look is not None:
            self._look.cancel()
        if self._group is not None:
            self._group.close()
        shutil.rmtree(self._work, ignore_errors=True)
