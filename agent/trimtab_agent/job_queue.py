"""One job at a time: of the lease that is held, else those without one, their holders in turns."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from dataclasses import dataclass, replace

from trimtab_protos.errors import QueueFull
from trimtab_protos.failure import Failure, FailureClass

from trimtab_agent.housekeeping import give_memory_back
from trimtab_agent.job_log import JobLog
from trimtab_agent.job_runner import JobRunner
from trimtab_agent.job_store import STOPPED, JobStore
from trimtab_agent.leases.desk import LeaseDesk
from trimtab_agent.logs import bound
from trimtab_agent.queue_positions import queue_position
from trimtab_agent.records import JobFinished, JobState

_LOG = logging.getLogger(__name__)
_RETRY_S = 5.0
_DISK_TRIES = 12
_ITS_LOG = "its log on the device says more"


@dataclass(frozen=True)
class Waiting:
    """``lease_id`` empty: without a lease, or it has ended while the job waited."""

    log: JobLog
    lease_id: str = ""


@dataclass(frozen=True)
class Running:
    """``since_ns``: on the monotonic clock."""

    log: JobLog
    task: asyncio.Task[None]
    lease_id: str
    since_ns: int


class JobQueue:
    def __init__(
        self, runner: JobRunner, store: JobStore, max_pending: int, leases: LeaseDesk
    ) -> None:
        self._runner = runner
        self._store = store
        self._max_pending = max_pending
        self._leases = leases
        self._pending: list[Waiting] = []
        self._running: Running | None = None
        self._work_task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.ended: Counter[JobState] = Counter()  # since the agent started
        leases.on_change = self._changed.set

    @property
    def running(self) -> Running | None:
        return self._running

    def pending(self) -> tuple[JobLog, ...]:
        """In the order in which they would run if nothing else came."""
        self._settle()
        order = sorted(self._pending, key=lambda waiting: self._position(waiting))
        return tuple(waiting.log for waiting in order)

    def start(self) -> None:
        self._work_task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Kill the worker; the running job and those waiting end as cut off."""
        if self._work_task is None:
            return
        self._work_task.cancel()
        await asyncio.gather(self._work_task, return_exceptions=True)
        unfinished = []
        if self._running is not None:
            unfinished = [self._running.log]
            self._running.task.cancel()
            await asyncio.gather(self._running.task, return_exceptions=True)
        for log in (*unfinished, *(waiting.log for waiting in self._pending)):
            await _end(log, "failed", STOPPED)

    def check_room(self, lease_id: str = "") -> None:
        """Raises QueueFull. Jobs without a lease take no room from who holds one."""
        self._settle()
        like_it = [each for each in self._pending if bool(each.lease_id) == bool(lease_id)]
        if len(like_it) >= self._max_pending:
            raise QueueFull(f"{len(like_it)} jobs wait already, the most this agent queues")

    def put(self, log: JobLog, lease_id: str = "") -> None:
        self._pending.append(Waiting(log, lease_id))
        self._settle()
        self._changed.set()

    async def cancel(self, log: JobLog) -> None:
        """Nothing happens to a job that has ended; a running one ends soon after."""
        if self._running is not None and log is self._running.log:
            self._running.task.cancel()
        elif any(waiting.log is log for waiting in self._pending):
            self._pending = [waiting for waiting in self._pending if waiting.log is not log]
            self._settle()
            self._changed.set()
            await _end(log, "cancelled", None)
            self.ended["cancelled"] += 1

    def position(self, log: JobLog) -> int:
        """How many jobs and leases come before a job that waits; 0 for one that does not."""
        self._settle()
        found = next((waiting for waiting in self._pending if waiting.log is log), None)
        return 0 if found is None else self._position(found)

    async def _work(self) -> None:
        while True:
            try:
                await self._run_next()
            except Exception:  # the agent would go on to take jobs that never run
                _LOG.exception("the queue goes on after what it did not expect")
                await self._let_go()
                await asyncio.sleep(_RETRY_S)

    async def _run_next(self) -> None:
        await self._wait_for_disk()
        running = self._begin(await self._next())
        await asyncio.wait({running.task})
        await self._conclude(running.log, running.task)
        self.ended[running.log.view.state] += 1
        self._running = None
        self._leases.book.job_ended()
        self._store.prune(running.log)
        await asyncio.to_thread(self._runner.tidy_up)
        give_memory_back()

    async def _wait_for_disk(self) -> None:
        """Where not even a job's end was kept, the next one's events could not be either."""
        for _ in range(_DISK_TRIES):
            if self._store.catch_up():
                return
            await asyncio.sleep(_RETRY_S)

    async def _let_go(self) -> None:
        """Of the job that went wrong; its watchers are told, and the next one has its turn."""
        running = self._running
        if running is None:
            return
        running.task.cancel()
        await asyncio.gather(running.task, return_exceptions=True)
        self._running = None
        self._leases.book.job_ended()
        self.ended["failed"] += 1
        try:  # without its results: they may be what went wrong
            failure = Failure("harness", f"the agent failed; {_ITS_LOG}")
            await running.log.record(JobFinished("failed", failure, ()))
            _say_end(running.log)
        except Exception:
            _LOG.exception("job %s has no end", running.log.view.job_id)

    async def _next(self) -> Waiting:
        while True:
            self._changed.clear()
            waiting = self._choose()
            if waiting is not None:
                return waiting
            await self._change()

    def _begin(self, waiting: Waiting) -> Running:
        self._pending.remove(waiting)
        task = asyncio.create_task(self._runner.run(waiting.log))
        self._running = Running(waiting.log, task, waiting.lease_id, time.monotonic_ns())
        self._leases.book.job_began(waiting.log.view.holder)
        self._settle()
        return self._running

    async def _change(self) -> None:
        """Something was asked, or a lease or a place in line has ended."""
        delay_ns = self._leases.book.changes_in_ns() if self._pending else None
        loop = asyncio.get_running_loop()
        timer = None if delay_ns is None else loop.call_later(delay_ns / 1e9, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            if timer is not None:
                timer.cancel()

    def _choose(self) -> Waiting | None:
        self._settle()
        lease = self._leases.book.lease
        if lease is not None:
            of_lease = (each for each in self._pending if each.lease_id == lease.lease_id)
            return next(of_lease, None)
        holder = self._leases.book.next_jobs()
        if holder is None:
            return None
        return next(each for each in self._free() if each.log.view.holder == holder)

    def _settle(self) -> None:
        """A job whose lease has ended waits on without one, and its holder takes a place in line.

        Who has a job running gets the next place when it has ended, behind those who came
        meanwhile.
        """
        lease = self._leases.book.lease
        lease_id = lease.lease_id if lease else None
        self._pending = [
            each if each.lease_id in ("", lease_id) else replace(each, lease_id="")
            for each in self._pending
        ]
        served = self._running.log.view.holder if self._running else None
        holders = [each.log.view.holder for each in self._free()]
        self._leases.book.seat_jobs([holder for holder in holders if holder != served])

    def _free(self) -> list[Waiting]:
        return [waiting for waiting in self._pending if not waiting.lease_id]

    def _position(self, waiting: Waiting) -> int:
        before = 0 if self._running is None else 1
        book = self._leases.book
        if waiting.lease_id:
            leased = [each for each in self._pending if each.lease_id]
            return before + leased.index(waiting)
        lease = book.lease
        of_lease = sum(1 for each in self._pending if each.lease_id)
        if lease is not None and not of_lease and not self._runs_under(lease.lease_id):
            of_lease = 1  # the lease itself, whose jobs are still to come
        holders = [each.log.view.holder for each in self._free()]
        place = self._free().index(waiting)
        return before + of_lease + queue_position(book.places(), holders, place)

    def _runs_under(self, lease_id: str) -> bool:
        return self._running is not None and self._running.lease_id == lease_id

    async def _conclude(self, log: JobLog, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            await _end(log, "cancelled", None)
        elif (error := task.exception()) is not None:
            _LOG.error("job %s", log.view.job_id, exc_info=error)
            text = f"the agent could not keep the job's events; {_ITS_LOG}"
            kind: FailureClass = "resources" if isinstance(error, OSError) else "harness"
            await _end(log, "failed", Failure(kind, text))


async def _end(log: JobLog, state: JobState, failure: Failure | None) -> None:
    if not log.view.is_terminal:
        await log.record(JobFinished(state, failure, log.view.arms))
        _say_end(log)


def _say_end(log: JobLog) -> None:
    """Of a job that its runner did not bring to its end, which says so otherwise."""
    with bound(job_id=log.view.job_id, request_id=log.view.request_id):
        _LOG.info("ended: %s", log.view.state)
