"""One job: submitted, watched, collected, acknowledged. Whatever breaks off can be gone on with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from trimtab_protos.errors import Failure, InternalError, JobUnknown, TrimtabError

from trimtab.fleet import convert
from trimtab.fleet.client import AgentClient
from trimtab.fleet.collect import JobCollector
from trimtab.fleet.dispatch.outputs import pull_outputs, raw_arm
from trimtab.fleet.dispatch.telling import Teller
from trimtab.fleet.dispatch.workload import Workload
from trimtab.fleet.errors import DeviceUnreachable
from trimtab.fleet.jobs import ArmRequest, JobRequest
from trimtab.fleet.ledger import DeviceLedger, Submission
from trimtab.fleet.ledger.event_file import EventFile, read_events
from trimtab.logs import bound, shortened
from trimtab.records import Int64Array, RawArm

_LOG = logging.getLogger(__name__)
_SILENCE_S = 30.0
_CANCEL_S = 10.0


@dataclass
class JobEnd:
    """``counted``: arms with their outcomes. ``cut_off``: those to be tried again, and why."""

    counted: dict[str, RawArm] = field(default_factory=dict)
    cut_off: dict[str, RawArm] = field(default_factory=dict)
    blocks: dict[str, tuple[Mapping[int, Int64Array], ...]] = field(default_factory=dict)


class DeviceJob:
    """``arms`` by their keys, in the order in which the job has them. ``heard``: of each event."""

    def __init__(
        self,
        workload: Workload,
        arms: Mapping[str, ArmRequest],
        submission: Submission,
        ledger: DeviceLedger,
        teller: Teller,
        heard: Callable[[], None],
    ) -> None:
        self._workload = workload
        self._arms = arms
        self._submission = submission
        self._ledger = ledger
        self._teller = teller
        self._heard = heard
        self._path = ledger.events_path(submission.request_id)
        self._collector = JobCollector(tuple(arms.values()))
        for event in read_events(self._path):
            update = convert.job_update_from_bytes(event)
            self._collector.take(update)
            teller.count(update)

    async def submit(self, client: AgentClient, lease_id: str) -> None:
        """The same request is the same job: nothing is doubled where an answer was lost."""
        workload, rules = self._workload, self._workload.rules
        request = JobRequest(
            request_id=self._submission.request_id,
            arms=tuple(self._arms.values()),
            inputs=workload.inputs.digest if workload.inputs else None,
            evaluation=workload.evaluation,
            reduction=workload.reduction,
            profile=workload.profile,
            interleaved=workload.interleaved,
            lease_id=lease_id,
            holder="" if lease_id else rules.holder,
            timeout_s=rules.job_deadline_s,
            health=rules.health,
        )
        job_id = await client.submit(request)
        self._ledger.note_job(self._submission.request_id, job_id)
        lease = shortened(lease_id) if lease_id else "none"
        with self._named():
            _LOG.info("submitted: %d arms, lease %s", len(self._arms), lease)

    async def finish(self, client: AgentClient) -> JobEnd:
        """Watches it to its end and collects it. Cancelling it cancels the job on the device, and
        acknowledges it where nobody will come back for it.

        Raises DeviceUnreachable, or TrimtabError: also where the device knows the job no more.
        """
        with self._named():
            try:
                await self._watch(client)
                end = await self._collect(client)
            except asyncio.CancelledError:
                await asyncio.shield(self._cancel(client))
                raise
            _LOG.info("collected: %d counted, %d cut off", len(end.counted), len(end.cut_off))
        return end

    def _named(self) -> AbstractContextManager[None]:
        submission = self._submission
        return bound(job_id=submission.job_id, request_id=submission.request_id)

    def is_here(self) -> bool:
        """Whether its events are here to their end: a folder may be half deleted."""
        return bool(self._collector.terminal_state)

    async def collected(self) -> JobEnd:
        """What an earlier process, or an earlier connection, has collected."""
        kept = self._submission.collected or frozenset()
        return await self._end(kept, {})

    async def _watch(self, client: AgentClient) -> None:
        job_id, collector = self._submission.job_id, self._collector
        with EventFile(self._path) as events:
            while not collector.terminal_state:
                stream = aiter(client.watch(job_id, collector.last_sequence))
                before = collector.last_sequence
                try:
                    while True:
                        async with asyncio.timeout(_SILENCE_S):
                            event, update = await anext(stream)
                        events.append(event)
                        collector.take(update)
                        self._heard()
                        self._teller.hear(update)
                except StopAsyncIteration:
                    if collector.last_sequence == before and not collector.terminal_state:
                        raise DeviceUnreachable(f"job {job_id} has no end on the device") from None
                except TimeoutError:
                    await client.ping()  # long silences are normal, a dead agent is not
                    self._heard()
            events.sync()

    async def _collect(self, client: AgentClient) -> JobEnd:
        gone: dict[str, str] = {}
        unread: dict[str, str] = {}  # the device has them still: such an arm is measured again
        for key, arm in self._arms.items():
            if not self._counts(arm.name):
                continue
            try:
                gone[key] = await pull_outputs(
                    client, self._collector, arm.name, self._ledger, self._heard
                )
            except InternalError as error:
                unread[key] = error.message
        self._ledger.note_collected(self._submission.request_id, gone)
        return await self._end(gone.keys(), {**gone, **unread})

    async def _end(self, counted: Collection[str], gone: Mapping[str, str]) -> JobEnd:
        end = JobEnd()
        for key, arm in self._arms.items():
            raw = await raw_arm(
                self._collector, arm.name, self._ledger, self._workload.profile, gone.get(key, "")
            )
            (end.counted if key in counted else end.cut_off)[key] = raw
            if self._workload.interleaved:
                end.blocks[key] = self._collector.blocks(arm.name)
        return end

    def _counts(self, arm: str) -> bool:
        """A failure for the device's sake is no result, and neither is an arm cut off."""
        outcome = self._collector.outcome(arm)
        if outcome is not None:
            return outcome.failure is None or not _is_the_devices(outcome.failure)
        failure = self._collector.failure or Failure("device", "")
        return self._collector.terminal_state != "cancelled" and not _is_the_devices(failure)

    async def _cancel(self, client: AgentClient) -> None:
        if not self._submission.job_id:
            return
        try:
            await client.cancel(self._submission.job_id)
            await asyncio.wait_for(self._watch(client), timeout=_CANCEL_S)
        except (TrimtabError, DeviceUnreachable, TimeoutError) as error:
            self._teller.say(f"the job could not be cancelled: {error}", "warning")
            return
        if not self._ledger.gone_on_with:  # its finished arms would wait there for nobody
            await _let_go(client, self._submission.job_id)


def _is_the_devices(failure: Failure) -> bool:
    return failure.failure_class == "device" or failure.for_want_of_disk


async def acknowledge(client: AgentClient, ledger: DeviceLedger, submission: Submission) -> None:
    """The device may let the results go: they are on this disk. Where it cannot be told, it keeps
    them for as long as it has room, and nothing is lost."""
    if submission.acknowledged or submission.collected is None or not submission.job_id:
        return
    if await _let_go(client, submission.job_id):
        ledger.note_acknowledged(submission.request_id)


async def _let_go(client: AgentClient, job_id: str) -> bool:
    """Whether the device has heard that it may."""
    try:
        await client.acknowledge(job_id)
    except JobUnknown:  # it has let them go already
        pass
    except (TrimtabError, DeviceUnreachable) as error:
        _LOG.warning("job %s is not acknowledged: %s", job_id, error)
        return False
    return True
