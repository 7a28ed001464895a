"""One device's share of a support check: connect, push, ask, hear what each arm came to.

A job like any other: under the device's lease, and asked again where a line or an agent breaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trimtab_protos.errors import Failure, TrimtabError

from trimtab.fleet.client import AgentClient
from trimtab.fleet.dispatch import Rules, connected, why_not
from trimtab.fleet.dispatch.asking import GONE, asked_until_answered
from trimtab.fleet.dispatch.attempts import Attempts, SetAside
from trimtab.fleet.dispatch.pauses import pause_s
from trimtab.fleet.dispatch.telling import Teller
from trimtab.fleet.errors import DeviceUnreachable, device_failure
from trimtab.fleet.inventory import InventoryDevice
from trimtab.fleet.jobs import ArmOutcome, ArmRequest, DeviceInfo, JobRequest, JobUpdate
from trimtab.fleet.lease_keeper import LeaseKeeper
from trimtab.fleet.progress import OnProgress
from trimtab.fleet.transfer import FilesRefused, push

Arms = Callable[[DeviceInfo], Sequence[ArmRequest]]
_SILENT = Failure("device", "the device ended the job without a result")


@dataclass(frozen=True)
class Answer:
    """``absent``: the device lacks the runtime or the accelerator. ``outcome`` None: it said
    nothing of the arm, or was not asked; then one of the other two says why."""

    request: ArmRequest
    outcome: ArmOutcome | None = None
    warnings: tuple[str, ...] = ()
    absent: Failure | None = None
    failure: Failure | None = None


@dataclass
class _Heard:
    """``sequence``: of the last event of the job that is asked now. What earlier ones said of an
    arm stays."""

    outcomes: dict[str, ArmOutcome] = field(default_factory=dict)
    warnings: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    failure: Failure | None = None
    sequence: int = 0
    is_over: bool = False

    def take(self, update: JobUpdate) -> None:
        self.sequence = update.sequence
        if update.outcome is not None:
            self.outcomes[update.arm] = update.outcome
        if update.log is not None and update.arm:
            self.warnings[update.arm].append(update.log[1])
        if update.terminal_state:
            self.failure, self.is_over = update.failure, True

    def expect_another(self) -> None:
        self.failure, self.sequence, self.is_over = None, 0, False
        for arm in self.warnings.keys() - self.outcomes.keys():
            del self.warnings[arm]


async def check_on(
    device: InventoryDevice, state: Path, arms: Arms, on_progress: OnProgress
) -> list[Answer]:
    """In the order of the arms. What breaks off is gone on with, by the usual rules.

    Raises DeviceUnreachable or TrimtabError; cancelling cancels the job on the device.
    """
    check = _Check(device, arms, on_progress)
    while True:
        try:
            async with connected(device, state) as client:
                return await check.go_on(client)
        except DeviceUnreachable as error:
            await check.pause_after(error)


class _Check:
    """One device's, over as many connections and jobs as it takes."""

    def __init__(self, device: InventoryDevice, arms: Arms, on_progress: OnProgress) -> None:
        self._arms = arms
        self._rules = Rules()
        self._teller = Teller(device.name, on_progress)
        self._attempts = Attempts(self._rules, device.is_local)
        self._lease = LeaseKeeper(
            device.name, self._rules.holder, self._teller.say, self._attempts.progressed
        )
        self._wanted: tuple[ArmRequest, ...] = ()
        self._absent: dict[str, Failure | None] = {}
        self._request_id, self._job_id = uuid.uuid4().hex, ""
        self._heard = _Heard()

    async def pause_after(self, error: DeviceUnreachable) -> None:
        """Raises the error where the device was tried long enough."""
        if not self._attempts.reconnect():
            raise error
        self._teller.say(f"trying again: {error}", "warning")
        await asyncio.sleep(self._attempts.pause_s)

    async def go_on(self, client: AgentClient) -> list[Answer]:
        info = await client.device_info()
        self._attempts.reached()
        if not self._wanted:
            self._plan(info)
        try:
            while self._pending() or self._is_under_way:
                if await self._is_answered(client, info):
                    break
        except SetAside as over:
            self._heard.failure = over.failure
        await self._lease.let_go(client)
        return [_answer(arm, self._absent[arm.name], self._heard) for arm in self._wanted]

    def _plan(self, info: DeviceInfo) -> None:
        self._wanted = tuple(self._arms(info))
        runtimes = {runtime.name: runtime for runtime in info.runtimes}
        self._absent = {
            arm.name: why_not(arm, runtimes.get(arm.settings.runtime)) for arm in self._wanted
        }

    def _pending(self) -> tuple[ArmRequest, ...]:
        """Those that the device may have an answer to, and gave none yet."""
        return tuple(
            arm
            for arm in self._wanted
            if self._absent[arm.name] is None and arm.name not in self._heard.outcomes
        )

    @property
    def _is_under_way(self) -> bool:
        return bool(self._job_id) and not self._heard.is_over

    async def _is_answered(self, client: AgentClient, info: DeviceInfo) -> bool:
        """One job. Not so where the device lost or failed it: another one is to be asked for.

        Raises SetAside where that happened too often.
        """
        try:
            await asked_until_answered(
                lambda: self._ask(client, info), self._attempts, self._teller
            )
            failure = self._heard.failure
        except GONE as error:
            failure = device_failure(error)
        if failure is None or failure.failure_class != "device" or not self._pending():
            return True
        self._attempts.refused(failure)
        self._teller.say(f"trying again: {failure.message}", "warning")
        self._request_id, self._job_id = uuid.uuid4().hex, ""
        self._heard.expect_another()
        await asyncio.sleep(pause_s(self._attempts.consecutive))
        return False

    async def _ask(self, client: AgentClient, info: DeviceInfo) -> None:
        if self._job_id:
            await self._hear(client)
            return
        pending = self._pending()
        await _push(client, pending, info.max_chunk_bytes)
        async with self._lease.held(client, "leases" in info.features) as lease_id:
            request = JobRequest(
                request_id=self._request_id,
                arms=pending,
                support_check=True,
                lease_id=lease_id,
                holder="" if lease_id else self._rules.holder,
            )
            self._job_id = await client.submit(request)
            await self._hear(client)

    async def _hear(self, client: AgentClient) -> None:
        job_id, heard = self._job_id, self._heard
        try:
            async for _, update in client.watch(job_id, heard.sequence):
                heard.take(update)
                self._attempts.progressed()
        except asyncio.CancelledError:
            with contextlib.suppress(TrimtabError, DeviceUnreachable):
                await asyncio.shield(client.cancel(job_id))
            raise
        if not heard.is_over:
            raise DeviceUnreachable(f"job {job_id} has no end on the device")
        with contextlib.suppress(TrimtabError, DeviceUnreachable):  # all of it is here
            await client.acknowledge(job_id)


async def _push(client: AgentClient, arms: Sequence[ArmRequest], chunk_bytes: int) -> None:
    files = {file.digest: file.path for arm in arms for file in arm.artifact.files}
    pairs = [(path, digest) for digest, path in files.items()]
    try:
        await push(client, pairs, chunk_bytes, lambda path, size: None)
    except FilesRefused as refused:
        raise refused.first from refused


def _answer(arm: ArmRequest, absent: Failure | None, heard: _Heard) -> Answer:
    if absent is not None:
        return Answer(arm, absent=absent)
    outcome = heard.outcomes.get(arm.name)
    warnings = tuple(heard.warnings.get(arm.name, ()))
    silent = (heard.failure or _SILENT) if outcome is None else None
    return Answer(arm, outcome, warnings, failure=silent)
