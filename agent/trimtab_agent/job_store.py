"""The jobs kept on the device's disk, oldest first; a bounded number of a bounded size.

Those go first whose results their hosts have; results that nobody has fetched go for newer ones
only after days, and where they take all the room new jobs are refused.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from trimtab_protos.digest import Digest
from trimtab_protos.errors import JobUnknown, StoreFull
from trimtab_protos.failure import Failure

from trimtab_agent.admission import inputs_of
from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.config import DAY_NS, DEFAULT_KEEP_UNCOLLECTED_NS, MEGABYTE
from trimtab_agent.job_log import JobLog
from trimtab_agent.job_record import JobView
from trimtab_agent.records import JobFinished, JobSpec
from trimtab_agent.uncollected import WaitingTimes, must_be_collected, whose

_LOG = logging.getLogger(__name__)
_TIMES_FILE = "waiting-times"
STOPPED = Failure(
    "device",
    "the agent stopped (or the device rebooted) while the job ran: submit the job again",
)


class JobStore:
    """Job ids begin with a running number, so that their order is that of submission.

    ``max_bytes``: of all jobs, and of what a single one may write. ``keep_ns``: how long results
    that nobody fetches stay although newer ones need the room; by ``clock``, which no setting of
    the time may move.
    """

    def __init__(
        self,
        root: Path,
        artifacts: ArtifactStore,
        max_jobs: int,
        max_bytes: int,
        keep_ns: int = DEFAULT_KEEP_UNCOLLECTED_NS,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._root = root
        self._artifacts = artifacts
        self._max_jobs = max_jobs
        self._max_bytes = max_bytes
        self._keep_ns = keep_ns
        self._jobs: dict[str, JobLog] = {}
        root.mkdir(parents=True, exist_ok=True)
        self._times = WaitingTimes(root / _TIMES_FILE, clock)
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
        log = JobLog.create(self._root / job_id, view, self._max_bytes)
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

    def check_room(self) -> None:
        """Raises StoreFull where results that may not go yet leave no room for another job's."""
        self.keep_times()
        waiting = [log for log in self if self._must_stay(log)]
        size = sum(log.size_bytes() for log in waiting)
        if len(waiting) >= self._max_jobs or size >= self._max_bytes:
            raise StoreFull(self._all_taken(waiting, size))

    def keep_times(self) -> None:
        """How long results have waited by now: on the disk too, for the next agent."""
        self._times.note([log.view.job_id for log in self if must_be_collected(log.view)])

    def prune(self, just_ended: JobLog | None = None) -> None:
        """Drop finished jobs beyond the limits: those whose results their hosts have (or that have
        none), the oldest first, then those that nobody has fetched for too long.

        ``just_ended`` stays: its watchers are still about to hear of its end. One that the disk
        does not let go counts as dropped, and is tried again the next time.
        """
        self.catch_up()
        self.keep_times()
        finished = [log for log in self if log.view.is_terminal]
        sizes = {log.view.job_id: log.size_bytes() for log in finished}
        may_go = [log for log in finished if log is not just_ended and not self._must_stay(log)]
        may_go.sort(key=lambda log: (must_be_collected(log.view), log.view.job_id))
        for log in may_go:
            if len(sizes) <= self._max_jobs and sum(sizes.values()) <= self._max_bytes:
                return
            del sizes[log.view.job_id]
            self._drop(log)

    def _must_stay(self, log: JobLog) -> bool:
        return must_be_collected(log.view) and self._times.of_ns(log.view.job_id) < self._keep_ns

    def _all_taken(self, waiting: list[JobLog], size: int) -> str:
        longest = max((self._times.of_ns(log.view.job_id) for log in waiting), default=0)
        jobs = "1 job" if len(waiting) == 1 else f"{len(waiting)} jobs"
        return (
            f"the device takes no job: nobody has fetched the results of {jobs} "
            f"({size / MEGABYTE:.1f} MB), all that it keeps: {whose(log.view for log in waiting)}; "
            f"do `trimtab run --resume` on that host, or wait "
            f"{(self._keep_ns - longest) / DAY_NS:.1f} days until the first may go, or stop the "
            f"agent and remove {self._root}"
        )

    def _drop(self, log: JobLog) -> None:
        view = log.view
        if must_be_collected(view):
            _LOG.warning(
                "job %s of %s is dropped for newer ones: nobody fetched its results in %.3g days",
                view.job_id,
                view.holder or "nobody named",
                self._times.of_ns(view.job_id) / DAY_NS,
            )
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
