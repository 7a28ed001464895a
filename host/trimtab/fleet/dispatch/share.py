"""What one device is to measure, until every arm has an outcome or is set aside."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from pathlib import Path

from trimtab_protos.errors import Failure, StoreFull, TrimtabError

from trimtab.fleet.client import AgentClient
from trimtab.fleet.collect import failed_arm
from trimtab.fleet.dispatch.asking import GONE, asked_until_answered
from trimtab.fleet.dispatch.attempts import Attempts, SetAside
from trimtab.fleet.dispatch.connection import connected
from trimtab.fleet.dispatch.gate import GateWait, refusal_of
from trimtab.fleet.dispatch.job import DeviceJob, JobEnd, acknowledge
from trimtab.fleet.dispatch.outcomes import Outcomes
from trimtab.fleet.dispatch.pauses import pause_s
from trimtab.fleet.dispatch.pushing import needs, push_files
from trimtab.fleet.dispatch.telling import Teller
from trimtab.fleet.dispatch.workload import Measured, Workload
from trimtab.fleet.errors import DeviceUnreachable, device_failure
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.jobs import ArmRequest, DeviceInfo
from trimtab.fleet.lease_keeper import LeaseKeeper
from trimtab.fleet.ledger import Submission
from trimtab.fleet.progress import OnProgress
from trimtab.fleet.telemetry import told_live
from trimtab.fleet.transfer import FilesRefused
from trimtab.logs import bound

_LOG = logging.getLogger(__name__)
_REMOVED = (
    "it was removed from the inventory since the run was begun; `trimtab devices add {name} "
    "ADDRESS` brings it back"
)
_ANOTHER_DEVICE = (
    "another device answers at its address now: the run was begun on {before}, this is {now}"
)


async def measure_on(
    device: InventoryDevice, state: Path, workload: Workload, on_progress: OnProgress
) -> list[Measured]:
    """Raises DeviceUnreachable or TrimtabError where the device was never met, now or before.

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
    if not share.is_known:
        raise DeviceUnreachable(f"{device.name}: {share.reason}")
    return share.measured()


class _Share:
    def __init__(
        self, device: InventoryDevice, workload: Workload, on_progress: OnProgress
    ) -> None:
        self._device = device
        self._workload = workload
        self._ledger = workload.ledger.device(device.name)
        self._teller = Teller(device.name, on_progress)
        self._attempts = Attempts(workload.rules, device.is_local)
        self._lease = LeaseKeeper(
            device.name, workload.rules.holder, self._teller.say, self._attempts.progressed
        )
        self._gate = GateWait(workload.rules, self._teller)
        self._outcomes = Outcomes(device.name, workload)
        self._info: DeviceInfo | None = None
        self._unmeasured = Failure("device", "the device ended the job without a result")

    @property
    def is_known(self) -> bool:
        """Whether its arms are: they go by what the device has."""
        return self._outcomes.is_planned

    @property
    def reason(self) -> str:
        """Why something was not measured."""
        return self._unmeasured.message

    async def run(self, state: Path) -> None:
        await self._recall()
        if self._device.is_removed:  # the others go on
            self.set_aside(Failure("device", _REMOVED.format(name=self._device.name)))
            return
        while self._is_anything_left():
            try:
                async with connected(self._device, state) as client:
                    await self._go_on(client)
                return
            except SetAside as over:
                self.set_aside(over.failure)
                return
            except (DeviceUnreachable, TrimtabError) as error:
                if not self._attempts.reconnect():
                    self.set_aside(device_failure(error))
                    if not self.is_known:
                        raise
                    return
                self._teller.say(f"trying again: {_first_line(error)}", "warning")
            await asyncio.sleep(self._attempts.pause_s)

    def set_aside(self, failure: Failure) -> None:
        """What has no outcome by now has this one; the ledger leaves it open."""
        missing = len(self._outcomes.missing)
        if self.is_known and not missing and not self._open():
            return  # all of it is here: only the device has not heard so
        self._unmeasured = failure
        self._ledger.set_aside = failure.message
        if missing:
            arms = "1 arm is" if missing == 1 else f"{missing} arms are"
            self._teller.say(f"{arms} set aside: {failure.message}", "error")

    def measured(self) -> list[Measured]:
        """Every arm in the order of the plan."""
        return self._outcomes.measured(self._unmeasured)

    async def _recall(self) -> None:
        """What an earlier process has collected, also of a device that is gone by now."""
        if not self._ledger.submissions or self._ledger.info is None:
            return
        self._outcomes.plan(self._ledger.info)
        await self._take_collected()

    async def _take_collected(self) -> None:
        for submission in self._ledger.submissions.values():
            arms = self._outcomes.of(submission.arms)
            if arms is None:
                _LOG.warning("request %s is of another plan", submission.request_id)
            elif submission.collected is not None:
                job = self._job(arms, submission)
                if job.is_here():
                    self._keep(await job.collected(), submission, again=True)
                else:
                    _LOG.warning("events of %s are lost here: asked again", submission.request_id)
                    submission.collected = None

    def _is_anything_left(self) -> bool:
        if not self.is_known or self._outcomes.missing or self._open() or self._unthanked():
            return True
        # What the device could not run then it may be able to run now.
        return self._info is None and self._outcomes.is_any_refused

    def _open(self) -> list[Submission]:
        return [each for each in self._ledger.submissions.values() if each.is_open]

    def _unthanked(self) -> list[Submission]:
        submissions = self._ledger.submissions.values()
        return [
            each for each in submissions if each.collected is not None and not each.acknowledged
        ]

    async def _go_on(self, client: AgentClient) -> None:
        info = await client.device_info()
        _LOG.info("connected: agent %s, boot %s", info.agent_version, info.boot_id)
        await self._meet(info)
        self._attempts.reached()
        async with told_live(client, self._teller.show, self._workload.telemetry_s):
            await self._take_up(client)
            while chunk := self._next_chunk():
                await self._measure(client, chunk)
        await self._lease.let_go(client)

    async def _meet(self, info: DeviceInfo) -> None:
        """Raises SetAside where this is not the device that the run was begun on."""
        before = self._ledger.device_id
        if before and info.device_id != before:
            text = _ANOTHER_DEVICE.format(before=before[:12], now=info.device_id[:12])
            raise SetAside(Failure("device", text))
        if self._info is None:
            if self.is_known:
                self._outcomes.admit(info)
            else:
                self._outcomes.plan(info)
                self._ledger.note_device(info)
                await self._take_collected()
            self._teller.expect(self._outcomes.runnable, self._workload)
        self._info = info

    async def _take_up(self, client: AgentClient) -> None:
        """What an earlier process, or an earlier connection, has asked for."""
        for submission in self._open():
            arms = self._outcomes.of(submission.arms)
            if arms is not None:
                await self._finish(client, arms, submission)
        for submission in self._unthanked():
            await acknowledge(client, self._ledger, submission)

    def _next_chunk(self) -> dict[str, ArmRequest]:
        missing = self._outcomes.missing
        size = self._workload.rules.arms_per_job or len(missing)
        return {key: self._outcomes.arms[key] for key in missing[:size]}

    async def _measure(self, client: AgentClient, arms: Mapping[str, ArmRequest]) -> None:
        request_id = uuid.uuid4().hex
        self._ledger.note_asked(request_id, arms)
        await self._finish(client, arms, self._ledger.submissions[request_id])

    async def _finish(
        self, client: AgentClient, arms: Mapping[str, ArmRequest], submission: Submission
    ) -> None:
        try:
            end = await asked_until_answered(
                lambda: self._run_job(client, arms, submission), self._attempts, self._teller
            )
        except FilesRefused as refused:  # what fits is asked for again, without the others
            self._ledger.note_lost(submission.request_id, refused.first.message)
            self._refuse_files(arms, refused)
            return
        except TrimtabError as error:
            self._ledger.note_lost(submission.request_id, error.message)
            if not isinstance(error, GONE):
                for key in arms:
                    self._refuse(key, error)
                return
            failure = device_failure(error)
            end = JobEnd(cut_off={key: failed_arm(arm, failure) for key, arm in arms.items()})
        refusal = refusal_of(end)
        if refusal is not None:  # nothing was tried: it does not count as an attempt
            await acknowledge(client, self._ledger, submission)
            await asyncio.sleep(self._gate.pause_s(refusal))
            return
        self._gate.passed()
        self._keep(end, submission)
        await acknowledge(client, self._ledger, submission)
        if not self._attempts.note(end.counted.keys(), end.cut_off):
            return
        self._teller.say("not measured for the device's sake; trying again", "warning")
        await asyncio.sleep(pause_s(self._attempts.consecutive))

    async def _run_job(
        self, client: AgentClient, arms: Mapping[str, ArmRequest], submission: Submission
    ) -> JobEnd:
        job = self._job(arms, submission)
        if submission.job_id:
            return await job.finish(client)
        assert self._info is not None  # noqa: S101 - met before
        await push_files(
            client,
            self._workload,
            arms.values(),
            self._info.max_chunk_bytes,
            self._sent,
            self._attempts.progressed,
        )
        async with self._lease.held(client, "leases" in self._info.features) as lease_id:
            await job.submit(client, lease_id)
            return await job.finish(client)

    def _sent(self, path: Path, size: int) -> None:
        self._attempts.progressed()
        self._teller.say(f"sent {path.name} ({size / 1e6:.2f} MB)")

    def _job(self, arms: Mapping[str, ArmRequest], submission: Submission) -> DeviceJob:
        heard = self._attempts.progressed
        return DeviceJob(self._workload, arms, submission, self._ledger, self._teller, heard)

    def _keep(self, end: JobEnd, submission: Submission, *, again: bool = False) -> None:
        """Also what failed for the last time. ``again``: it was kept before, by another process."""
        last = {} if again else self._attempts.exhausted(end.cut_off)
        for raw in last.values():
            self._ledger.set_aside = raw.failure.message if raw.failure else "cut off"
        self._outcomes.keep({**end.counted, **last}, submission.job_id, end)

    def _refuse(self, key: str, error: TrimtabError) -> None:
        if isinstance(error, StoreFull):  # with some room it runs: --resume tries again
            self._ledger.set_aside = error.message
        failure = device_failure(error)
        self._teller.say(f"{self._outcomes.arms[key].name}: {failure.message}", "error")
        self._outcomes.refuse(key, failure)

    def _refuse_files(self, arms: Mapping[str, ArmRequest], refused: FilesRefused) -> None:
        """Those arms that need them: all of them where they all do."""
        for key, arm in arms.items():
            wanted = needs(self._workload, arm)
            error = next((refused.errors[each] for each in wanted if each in refused.errors), None)
            if error is not None:
                self._refuse(key, error)


def _first_line(error: DeviceUnreachable | TrimtabError) -> str:
    return error.message if isinstance(error, TrimtabError) else str(error)
