"""One device's share of a support check: connect, push, ask, hear what each arm came to."""

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
from trimtab.fleet.dispatch import connected, why_not
from trimtab.fleet.errors import DeviceUnreachable
from trimtab.fleet.inventory import InventoryDevice
from trimtab.fleet.jobs import ArmOutcome, ArmRequest, DeviceInfo, JobRequest, JobUpdate
from trimtab.fleet.transfer import FilesRefused, push

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
    outcomes: dict[str, ArmOutcome] = field(default_factory=dict)
    warnings: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    failure: Failure | None = None

    def take(self, update: JobUpdate) -> None:
        if update.outcome is not None:
            self.outcomes[update.arm] = update.outcome
        if update.log is not None and update.arm:
            self.warnings[update.arm].append(update.log[1])
        if update.terminal_state:
            self.failure = update.failure


async def check_on(
    device: InventoryDevice, state: Path, arms: Callable[[DeviceInfo], Sequence[ArmRequest]]
) -> list[Answer]:
    """In the order of the arms. Raises DeviceUnreachable or TrimtabError; cancelling cancels."""
    async with connected(device, state) as client:
        info = await client.device_info()
        wanted = tuple(arms(info))
        runtimes = {runtime.name: runtime for runtime in info.runtimes}
        absent = {arm.name: why_not(arm, runtimes.get(arm.settings.runtime)) for arm in wanted}
        served = tuple(arm for arm in wanted if absent[arm.name] is None)
        heard = await _ask(client, served, info.max_chunk_bytes) if served else _Heard()
    return [_answer(arm, absent[arm.name], heard) for arm in wanted]


async def _ask(client: AgentClient, arms: tuple[ArmRequest, ...], chunk_bytes: int) -> _Heard:
    files = {file.digest: file.path for arm in arms for file in arm.artifact.files}
    pairs = [(path, digest) for digest, path in files.items()]
    try:
        await push(client, pairs, chunk_bytes, lambda path, size: None)
    except FilesRefused as refused:
        raise refused.first from refused
    heard = _Heard()
    request = JobRequest(request_id=uuid.uuid4().hex, arms=arms, support_check=True)
    job_id = await client.submit(request)
    try:
        async for _, update in client.watch(job_id, 0):
            heard.take(update)
        await client.acknowledge(job_id)
    except asyncio.CancelledError:
        with contextlib.suppress(TrimtabError, DeviceUnreachable):
            await asyncio.shield(client.cancel(job_id))
        raise
    return heard


def _answer(arm: ArmRequest, absent: Failure | None, heard: _Heard) -> Answer:
    if absent is not None:
        return Answer(arm, absent=absent)
    outcome = heard.outcomes.get(arm.name)
    warnings = tuple(heard.warnings.get(arm.name, ()))
    silent = (heard.failure or _SILENT) if outcome is None else None
    return Answer(arm, outcome, warnings, failure=silent)
