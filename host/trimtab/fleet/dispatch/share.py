"""What one device is to measure, until every arm has an outcome or is set aside."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from trimtab_protos.errors import (
    DeviceMeasuring,
    EventsTrimmed,
    Failure,
    InternalError,
    JobArtifactMissing,
    JobUnknown,
    LeaseExpired,
    QueueFull,
    RateLimited,
    StoreFull,
    TrimtabError,
)

from trimtab.fleet.client import AgentClient
from trimtab.fleet.collect import failed_arm
from trimtab.fleet.dispatch.admission import split
from trimtab.fleet.dispatch.attempts import Attempts, SetAside
from trimtab.fleet.dispatch.connection import connected
from trimtab.fleet.dispatch.job import DeviceJob, JobEnd, acknowledge
from trimtab.fleet.dispatch.pauses import pause_s
from trimtab.fleet.dispatch.telling import Teller
from trimtab.fleet.dispatch.workload import Measured, Workload
from trimtab.fleet.errors import DeviceUnreachable, device_failure
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.jobs import ArmRequest, DeviceInfo
from trimtab.fleet.lease_keeper import LeaseKeeper
from trimtab.fleet.ledger import Submission
from trimtab.fleet.progress import OnProgress
from trimtab.fleet.telemetry import told_live
from trimtab.fleet.transfer import FilesRefused, push
from trimtab.logs import bound
from trimtab.records import DeviceRef, RawArm

_LOG = logging.getLogger(__name__)
_BUSY = (DeviceMeasuring, QueueFull, RateLimited)
_BUSY_PAUSES = 3
# Refusals that another try may get past; every other one is the same the next time.
_PASSING = (InternalError, JobArtifactMissing, LeaseExpired)
# The device has nothing of this job any more.
_GONE = (EventsTrimmed, JobUnknown)
_ANOTHER_DEVICE = (
    "another device answers at its address now: the run was begun on {before}, this is {now}"
)


async def measure_on(
    device: InventoryDevice, state: Path, workload: Workload, on_progress: OnProgress
) -> list[Measured]:
    """Raises DeviceUnreachable or TrimtabError where nothing could be measured at all.

    What was set aside comes back as failed, with the reason, and stays open in the ledger.
    Cancelling it cancels the job on the device before it returns.
    """
    share = _Share(device, workload, on_progress)
    try:
        with bound(device=device.name):
            async with asyncio.timeout_at(workload.deadline_at):
                await share.run(state)
    except TimeoutError:
        share.set_aside(Failure("resources", "the run's deadline passed before it was measured"))
    if not share.was_met:  # the deadline came first
        raise DeviceUnreachable(f"{device.name}: the run's deadline passed before it answered")
    return share.measured()


class _Share:
    def __init__(
        self, device: InventoryDevice, workload: Workload, on_progress: OnProgress
    ) -> None:
        self._device = device
        self._workload = workload
        self._ledger = workload.ledger.device(device.name)
        self._teller = Teller(device.name, on_progress)
        self._lease = LeaseKeeper(device.name, workload.rules.holder, self._teller.say)
        self._attempts = Attempts(workload.rules, device.is_local)
        self._info: DeviceInfo | None = None
        self._arms: dict[str, ArmRequest] = {}
        self._to_run: dict[str, ArmRequest] = {}
        self._found: dict[str, Measured] = {}
        self._unmeasured = Failure("device", "the device ended the job without a result")

    @property
    def was_met(self) -> bool:
        return self._info is not None

    async def run(self, state: Path) -> None:
        while True:
            try:
                async with connected(self._device, state) as client:
                    await self._go_on(client)
                return
            except SetAside as over:
                self.set_aside(over.failure)
                return
            except DeviceUnreachable as error:
                if not self._attempts.reconnect():
                    if self._info is None:
                        self._ledger.set_aside = str(error)
                        raise
                    self.set_aside(device_failure(error))
                    return
                self._teller.say("connection lost; asking again", "warning")
            await asyncio.sleep(self._attempts.pause_s)

    def set_aside(self, failure: Failure) -> None:
        """What has no outcome by now has this one; the ledger leaves it open."""
        self._unmeasured = failure
        self._ledger.set_aside = failure.message
        missing = len(self._missing())
        if missing:
            arms = "1 arm is" if missing == 1 else f"{missing} arms are"
            self._teller.say(f"{arms} set aside: {failure.message}", "error")

    def measured(self) -> list[Measured]:
        """Every arm in the order of the plan."""
        return [
            self._found.get(key) or self._failed(arm, failed_arm(arm, self._unmeasured))
            for key, arm in self._arms.items()
        ]

    async def _go_on(self, client: AgentClient) -> None:
        info = await client.device_info()
        _LOG.info("connected: agent %s, boot %s", info.agent_version, info.boot_id)
        self._meet(info)
        self._attempts.reached()
        async with told_live(client, self._teller.show, self._workload.telemetry_s):
            await self._take_up(client)
            while chunk := self._next_chunk():
                await self._measure(client, chunk)
        await self._lease.let_go(client)

    def _meet(self, info: DeviceInfo) -> None:
        """Raises SetAside where this is not the device that the run was begun on."""
        before = self._ledger.device_id
        if before and info.device_id != before:
            text = _ANOTHER_DEVICE.format(before=before[:12], now=info.device_id[:12])
            raise SetAside(Failure("device", text))
        if not before:
            self._ledger.note_device(info.device_id)
        if self._info is not None:
            self._info = info
            return
        self._info = info
        workload = self._workload
        self._arms = {workload.key(arm): arm for arm in workload.arms(info)}
        runnable, refused = split(tuple(self._arms.values()), info)
        for arm, raw in refused:
            self._found[workload.key(arm)] = self._failed(arm, raw)
        if not (workload.interleaved and refused):
            self._to_run = {workload.key(arm): arm for arm in runnable}
        self._teller.expect(runnable, workload)

    def _failed(self, arm: ArmRequest, raw: RawArm) -> Measured:
        return Measured(arm, self._reference, raw, "")

    @property
    def _reference(self) -> DeviceRef:
        info = self._info
        device_id, description = (info.device_id, info.description) if info else ("", "")
        return DeviceRef(self._device.name, device_id, description)

    async def _take_up(self, client: AgentClient) -> None:
        """What an earlier process, or an earlier connection, has asked for."""
        for submission in list(self._ledger.submissions.values()):
            arms = {key: self._to_run[key] for key in submission.arms if key in self._to_run}
            if len(arms) < len(submission.arms):
                continue  # of another plan
            if submission.is_open:
                await self._finish(client, arms, submission)
            elif submission.collected is not None:
                if not all(key in self._found for key in submission.collected):
                    job = self._job(arms, submission)
                    self._keep(await job.collected(), submission, again=True)
                await acknowledge(client, self._ledger, submission)

    def _next_chunk(self) -> dict[str, ArmRequest]:
        missing = self._missing()
        size = self._workload.rules.arms_per_job or len(missing)
        return {key: self._to_run[key] for key in missing[:size]}

    def _missing(self) -> list[str]:
        return [key for key in self._to_run if key not in self._found]

    async def _measure(self, client: AgentClient, arms: Mapping[str, ArmRequest]) -> None:
        request_id = uuid.uuid4().hex
        self._ledger.note_asked(request_id, arms)
        await self._finish(client, arms, self._ledger.submissions[request_id])

    async def _finish(
        self, client: AgentClient, arms: Mapping[str, ArmRequest], submission: Submission
    ) -> None:
        try:
            end = await self._tried(client, arms, submission)
        except FilesRefused as refused:  # what fits is asked for again, without the others
            self._ledger.note_lost(submission.request_id, refused.first.message)
            self._refuse_files(arms, refused)
            return
        except TrimtabError as error:
            self._ledger.note_lost(submission.request_id, error.message)
            if not isinstance(error, _GONE):
                self._refuse(arms, error)
                return
            failure = device_failure(error)
            end = JobEnd(cut_off={key: failed_arm(arm, failure) for key, arm in arms.items()})
        self._keep(end, submission)
        if not self._attempts.note(end.counted.keys(), end.cut_off):
            return
        self._teller.say("not measured for the device's sake; trying again", "warning")
        await asyncio.sleep(pause_s(self._attempts.consecutive))

    async def _tried(
        self, client: AgentClient, arms: Mapping[str, ArmRequest], submission: Submission
    ) -> JobEnd:
        """The same submission again where a refusal may pass: it is one job, however often asked.

        Raises SetAside where that goes on for too long, TrimtabError for every other refusal.
        """
        while True:
            try:
                return await self._run_job(client, arms, submission)
            except _BUSY as error:
                pause = float(error.metadata.get("retry_after_s") or pause_s(_BUSY_PAUSES))
                self._teller.say(f"waiting: {error.message}")
            except _PASSING as error:
                self._attempts.refused(device_failure(error))
                pause = pause_s(self._attempts.consecutive)
                self._teller.say(f"trying again: {error.message}", "warning")
            await asyncio.sleep(pause)

    async def _run_job(
        self, client: AgentClient, arms: Mapping[str, ArmRequest], submission: Submission
    ) -> JobEnd:
        job = self._job(arms, submission)
        if submission.job_id:
            return await job.finish(client)
        assert self._info is not None  # noqa: S101 - met before
        await self._push(client, tuple(arms.values()), self._info.max_chunk_bytes)
        async with self._lease.held(client, "leases" in self._info.features) as lease_id:
            await job.submit(client, lease_id)
            return await job.finish(client)

    def _job(self, arms: Mapping[str, ArmRequest], submission: Submission) -> DeviceJob:
        return DeviceJob(self._workload, arms, submission, self._ledger, self._teller)

    def _keep(self, end: JobEnd, submission: Submission, *, again: bool = False) -> None:
        """Also what failed for the last time. ``again``: it was kept before, by another process."""
        last = {} if again else self._attempts.exhausted(end.cut_off)
        for raw in last.values():
            self._ledger.set_aside = raw.failure.message if raw.failure else "cut off"
        for key, raw in (*end.counted.items(), *last.items()):
            blocks = end.blocks.get(key, ())
            arm = self._arms[key]
            self._found[key] = Measured(arm, self._reference, raw, submission.job_id, blocks)

    def _refuse(self, arms: Mapping[str, ArmRequest], error: TrimtabError) -> None:
        if isinstance(error, StoreFull):  # with some room it runs: --resume tries again
            self._ledger.set_aside = error.message
        for key, arm in arms.items():
            failure = device_failure(error)
            self._teller.say(f"{arm.name}: {failure.message}", "error")
            self._found[key] = self._failed(arm, failed_arm(arm, failure))

    def _refuse_files(self, arms: Mapping[str, ArmRequest], refused: FilesRefused) -> None:
        """Those arms that need them: all of them where they all do."""
        common = {
            each.digest for each in (self._workload.evaluation, self._workload.inputs) if each
        }
        for key, arm in arms.items():
            wanted = {file.digest for file in arm.artifact.files} | common
            error = next((refused.errors[each] for each in wanted if each in refused.errors), None)
            if error is not None:
                self._refuse({key: arm}, error)

    async def _push(
        self, client: AgentClient, arms: Sequence[ArmRequest], chunk_bytes: int
    ) -> None:
        files = {file.digest: file.path for arm in arms for file in arm.artifact.files}
        for data in (self._workload.evaluation, self._workload.inputs):
            if data is not None:
                files[data.digest] = data.path
        await push(
            client,
            [(path, digest) for digest, path in files.items()],
            chunk_bytes,
            lambda path, size: self._teller.say(f"sent {path.name} ({size / 1e6:.2f} MB)"),
        )
