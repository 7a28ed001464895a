"""What can be done with jobs: submit, look, list, watch, cancel, acknowledge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from trimtab_protos.errors import JobNotFinished, PageTokenInvalid

from trimtab_agent.admission import check_admission
from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.inventory import Inventory
from trimtab_agent.job_deadline import check_length
from trimtab_agent.job_log import JobLog
from trimtab_agent.job_queue import JobQueue
from trimtab_agent.job_record import JobView
from trimtab_agent.job_store import JobStore
from trimtab_agent.leases.desk import LeaseDesk
from trimtab_agent.records import Event, JobSpec

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 500


class Jobs:
    def __init__(
        self,
        store: JobStore,
        queue: JobQueue,
        artifacts: ArtifactStore,
        inventory: Inventory,
        leases: LeaseDesk,
        max_job_ns: int,
    ) -> None:
        self._store = store
        self._queue = queue
        self._artifacts = artifacts
        self._inventory = inventory
        self._leases = leases
        self._max_job_ns = max_job_ns
        self._submitting = asyncio.Lock()

    async def start(self) -> None:
        await self._store.recover()
        self._queue.start()

    async def stop(self) -> None:
        await self._queue.stop()
        self._store.keep_times()

    async def submit(
        self, request_id: str, spec: JobSpec, lease_id: str = "", holder: str = ""
    ) -> JobView:
        """Queue a job; a request_id that was seen returns its job.

        ``holder``: of a job without a lease. Raises LeaseExpired, QueueFull, StoreFull,
        JobArtifactMissing, RuntimeUnavailable or SpecInvalid.
        """
        async with self._submitting:
            known = self._store.by_request(request_id)
            if known is not None:
                return known.view
            if lease_id:
                holder = self._leases.check(lease_id).holder
            check_length(spec, self._max_job_ns)
            self._queue.check_room(lease_id)
            if not spec.support_only:  # nobody has to fetch what comes of such a one
                self._store.check_room()
            check_admission(spec, await self._inventory.runtimes(), self._artifacts)
            log = self._store.create(request_id, spec, holder)
            self._queue.put(log, lease_id)
            return log.view

    def get(self, job_id: str) -> JobView:
        """Raises JobUnknown."""
        return self._store.get(job_id).view

    def position(self, job_id: str) -> int:
        """How many jobs and leases come before it; 0 where it does not wait (any more)."""
        return self._queue.position(self._store.get(job_id))

    def page(self, size: int, token: str) -> tuple[list[JobView], str]:
        """Newest first, and the token of the next page (empty: this is the last).

        Raises PageTokenInvalid.
        """
        views = sorted((log.view for log in self._store), key=lambda job: job.job_id, reverse=True)
        if token:
            if not any(view.job_id == token for view in views):
                raise PageTokenInvalid(f"no page begins after {token[:80]!r}")
            views = [view for view in views if view.job_id < token]
        size = min(size, MAX_PAGE_SIZE) if size > 0 else DEFAULT_PAGE_SIZE
        page = views[:size]
        return page, page[-1].job_id if len(views) > size else ""

    def watch(self, job_id: str, after_sequence: int) -> tuple[JobLog, AsyncIterator[Event]]:
        """Raises JobUnknown."""
        log = self._store.get(job_id)
        return log, log.follow(after_sequence)

    async def cancel(self, job_id: str) -> JobView:
        """Raises JobUnknown."""
        log = self._store.get(job_id)
        await self._queue.cancel(log)
        return log.view

    def acknowledge(self, job_id: str) -> None:
        """Raises JobUnknown or JobNotFinished."""
        log = self._store.get(job_id)
        if not log.view.is_terminal:
            raise JobNotFinished(f"job {job_id} is {log.view.state}")
        log.acknowledge()
        self._store.prune()
