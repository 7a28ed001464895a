"""The jobs kept on the device's disk, oldest first; a bounded number of a bounded size."""

from __future__ import annotations

import logging
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from trimtab_protos.digest import Digest
from trimtab_protos.errors import JobUnknown
from trimtab_protos.failure import Failure

from trimtab_agent.admission import inputs_of
from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.job_log import JobLog
from trimtab_agent.job_record import JobView
from trimtab_agent.records import JobFinished, JobSpec

_LOG = logging.getLogger(__name__)
STOPPED = Failure(
    "device",
    "the agent stopped (or the device rebooted) while the job ran: submit the job again",
)


class JobStore:
    """Job ids begin with a running number, so that their order is that of submission."""

    def __init__(self, root: Path, artifacts: ArtifactStore, max_jobs: int, max_bytes: int) -> None:
        self._root = root
        self._artifacts = artifacts
        self._max_jobs = max_jobs
        self._max_bytes = max_bytes
        self._jobs: dict[str, JobLog] = {}
        root.mkdir(parents=True, exist_ok=True)
        for folder in sorted(path for path in root.iterdir() if path.is_dir()):
            self._load(folder)

    def __iter__(self) -> Iterator[JobLog]:
        return iter(self._jobs.values())

    async def recover(self) -> None:
        """End what an earlier agent left unfinished."""
        for log in self:
            if not log.view.is_terminal:
                await log.record(JobFinished("failed", STOPPED, log.view.arms))

    def create(self, request_id: str, spec: JobSpec, holder: str = "") -> JobLog:
        number = max((int(job_id.partition("-")[0]) for job_id in self._jobs), default=0) + 1
        job_id = f"{number:06d}-{secrets.token_hex(4)}"
        view = JobView(job_id, request_id, spec, time.time_ns(), holder=holder)
        log = JobLog.create(self._root / job_id, view)
        self._jobs[job_id] = log
        return log

    def get(self, job_id: str) -> JobLog:
        """Raises JobUnknown."""
        log = self._jobs.get(job_id)
        if log is None:
            raise JobUnknown(f"the device knows no job {job_id[:80]!r}")
        return log

    def by_request(self, request_id: str) -> JobLog | None:
        return next((log for log in self if log.view.request_id == request_id), None)

    def needed(self) -> set[Digest]:
        """What jobs that have not ended work with or have made, and results that nobody has
        acknowledged."""
        found: set[Digest] = set()
        for log in self:
            if not log.view.is_terminal:
                found |= set(inputs_of(log.view.spec)) | log.claimed
            if not log.view.acknowledged:
                found |= set(log.view.outputs)
        return found

    def catch_up(self) -> bool:
        """Save what the disk did not take before; whether it has everything now."""
        unsaved = [log for log in self if not log.is_saved]
        for log in unsaved:
            log.save_if_possible()
        return all(log.is_saved for log in unsaved)

    def prune(self) -> None:
        """Drop finished jobs beyond the limits: acknowledged ones first, then the oldest.

        One that the disk does not let go counts as dropped, and is tried again the next time.
        """
        self.catch_up()
        finished = [log for log in self if log.view.is_terminal]
        finished.sort(key=lambda log: (not log.view.acknowledged, log.view.job_id))
        sizes = {log.view.job_id: log.size_bytes() for log in finished}
        for log in finished:
            if len(sizes) <= self._max_jobs and sum(sizes.values()) <= self._max_bytes:
                return
            del sizes[log.view.job_id]
            self._drop(log)

    def _drop(self, log: JobLog) -> None:
        view = log.view
        if not view.acknowledged:
            _LOG.warning("job %s is dropped for newer ones; nobody acknowledged it", view.job_id)
        try:
            if log.folder.exists():
                shutil.rmtree(log.folder)
            del self._jobs[view.job_id]
            used = self.needed() | {digest for other in self for digest in other.view.outputs}
            for digest in set(view.outputs) - used:
                self._artifacts.remove(digest)
        except OSError as error:
            _LOG.warning("job %s is not dropped whole: %s", view.job_id, error)

    def _load(self, folder: Path) -> None:
        try:
            log = JobLog.open(folder)
            int(log.view.job_id.partition("-")[0])
        except (OSError, ValueError, KeyError, TypeError) as error:
            _LOG.warning("%s is left alone: it cannot be read as a job: %s", folder, error)
            return
        self._jobs[log.view.job_id] = log
