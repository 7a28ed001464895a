"""What the device is doing, who holds it and who waits; cheap enough to be asked every second."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.job_log import JobLog
from trimtab_agent.job_queue import JobQueue
from trimtab_agent.job_store import JobStore
from trimtab_agent.leases.desk import LeaseDesk
from trimtab_agent.records import JobState
from trimtab_agent.uncollected import must_be_collected

# Adding up the store reads a folder: once for all who ask within this time.
_STORE_AGE_S = 5.0


@dataclass(frozen=True)
class JobSummary:
    """``running_ns`` 0: it waits."""

    job_id: str
    holder: str
    state: JobState
    arm: str
    repeat_index: int
    running_ns: int


@dataclass(frozen=True)
class DeviceStatus:
    """``lease_holder`` None: nobody holds it. ``unacknowledged_job_count``: of those whose results
    are lost if they go."""

    lease_holder: str | None
    lease_remaining_ns: int
    waiting_holders: tuple[str, ...]
    jobs: tuple[JobSummary, ...]
    agent_uptime_ns: int
    artifact_bytes: int
    disk_free_bytes: int
    unacknowledged_job_count: int
    agent_memory_bytes: int
    agent_open_files: int


class StatusTeller:
    def __init__(
        self,
        leases: LeaseDesk,
        queue: JobQueue,
        jobs: JobStore,
        artifacts: ArtifactStore,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._leases = leases
        self._queue = queue
        self._jobs = jobs
        self._artifacts = artifacts
        self._clock = clock
        self._started_ns = clock()
        self._process = psutil.Process()
        self._stored = (0, 0)  # bytes, and when they were added up
        self._adding = asyncio.Lock()

    async def status(self) -> DeviceStatus:
        stored = await self._stored_bytes()
        book = self._leases.book
        lease = book.lease
        return DeviceStatus(
            lease_holder=None if lease is None else lease.holder,
            lease_remaining_ns=0 if lease is None else book.remaining_ns(lease),
            waiting_holders=tuple(ask.holder for ask in book.waiting()),
            jobs=self._summaries(),
            agent_uptime_ns=self._clock() - self._started_ns,
            artifact_bytes=stored,
            disk_free_bytes=shutil.disk_usage(self._artifacts.partial_dir).free,
            unacknowledged_job_count=sum(must_be_collected(log.view) for log in self._jobs),
            agent_memory_bytes=int(self._process.memory_info().rss),
            agent_open_files=int(self._process.num_fds()),
        )

    def _summaries(self) -> tuple[JobSummary, ...]:
        running = self._queue.running
        first: tuple[JobSummary, ...] = ()
        if running is not None:
            first = (_summary(running.log, self._clock() - running.since_ns),)
        return first + tuple(_summary(log, 0) for log in self._queue.pending())

    async def _stored_bytes(self) -> int:
        async with self._adding:
            size, at_ns = self._stored
            if not at_ns or self._clock() - at_ns > _STORE_AGE_S * 1e9:
                size = await asyncio.to_thread(self._add_up)
                self._stored = (size, self._clock())
            return size

    def _add_up(self) -> int:
        return sum(each.digest.size_bytes for each in self._artifacts.kept())


def _summary(log: JobLog, running_ns: int) -> JobSummary:
    view = log.view
    return JobSummary(
        view.job_id, view.holder, view.state, view.current_arm, view.current_repeat, running_ns
    )
