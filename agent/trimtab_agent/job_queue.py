"""One job at a time, the others behind it in the order they came."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from trimtab_protos.errors import QueueFull
from trimtab_protos.failure import Failure

from trimtab_agent.housekeeping import give_memory_back
from trimtab_agent.job_log import JobLog
from trimtab_agent.job_runner import JobRunner
from trimtab_agent.job_store import STOPPED, JobStore
from trimtab_agent.records import JobFinished, JobState

_LOG = logging.getLogger(__name__)


class JobQueue:
    def __init__(self, runner: JobRunner, store: JobStore, max_pending: int) -> None:
        self._runner = runner
        self._store = store
        self._max_pending = max_pending
        self._pending: deque[JobLog] = deque()
        self._running: JobLog | None = None
        self._run_task: asyncio.Task[None] | None = None
        self._work_task: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()

    def start(self) -> None:
        self._work_task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Kill the worker; the running job and those waiting end as cut off."""
        if self._work_task is None:
            return
        self._work_task.cancel()
        await asyncio.gather(self._work_task, return_exceptions=True)
        unfinished = [] if self._running is None else [self._running]
        if self._run_task is not None:
            self._run_task.cancel()
            await asyncio.gather(self._run_task, return_exceptions=True)
        for log in (*unfinished, *self._pending):
            await _end(log, "failed", STOPPED)

    def check_room(self) -> None:
        """Raises QueueFull."""
        if len(self._pending) >= self._max_pending:
            raise QueueFull(f"{len(self._pending)} jobs wait already, the most this agent queues")

    def put(self, log: JobLog) -> None:
        self._pending.append(log)
        self._arrived.set()

    async def cancel(self, log: JobLog) -> None:
        """Nothing happens to a job that has ended; a running one ends soon after."""
        if log is self._running and self._run_task is not None:
            self._run_task.cancel()
        elif log in self._pending:
            self._pending.remove(log)
            await _end(log, "cancelled", None)

    async def _work(self) -> None:
        while True:
            while not self._pending:
                self._arrived.clear()
                await self._arrived.wait()
            self._running = self._pending.popleft()
            self._run_task = asyncio.create_task(self._runner.run(self._running))
            await asyncio.wait({self._run_task})
            await self._conclude(self._running, self._run_task)
            self._running = self._run_task = None
            self._store.prune()
            give_memory_back()

    async def _conclude(self, log: JobLog, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            await _end(log, "cancelled", None)
        elif task.exception() is not None:
            _LOG.error("job %s", log.view.job_id, exc_info=task.exception())
            text = "the agent could not keep the job's events; its log on the device says more"
            await _end(log, "failed", Failure("harness", text))


async def _end(log: JobLog, state: JobState, failure: Failure | None) -> None:
    if not log.view.is_terminal:
        await log.record(JobFinished(state, failure, log.view.arms))
