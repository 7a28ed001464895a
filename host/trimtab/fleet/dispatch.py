"""One device's share of a run: connect, push, submit, watch, collect, acknowledge."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from trimtab_protos.errors import Failure, TrimtabError

from trimtab.fleet.client import AgentClient
from trimtab.fleet.collect import JobCollector, failed_arm
from trimtab.fleet.errors import DeviceUnreachable
from trimtab.fleet.inventory import InventoryDevice
from trimtab.fleet.jobs import (
    ArmRequest,
    BlockSchedule,
    DeviceInfo,
    JobRequest,
    JobUpdate,
    Reduction,
    RuntimeInfo,
)
from trimtab.fleet.local import local_agent
from trimtab.fleet.profile import pull_profile
from trimtab.fleet.progress import OnProgress, Progress
from trimtab.fleet.telemetry import told_live
from trimtab.fleet.transfer import pull, push
from trimtab.onnx_versions import too_new_for
from trimtab.records import DeviceRef, EvaluationSet, Int64Array, RawArm

_RECONNECT_ATTEMPTS = 5
_RECONNECT_S = 1.0
_PASSES = {"memory": "memory pass", "evaluate": "evaluation", "profile": "profile pass"}


@dataclass(frozen=True)
class Workload:
    """What every device of a run is given. ``arms`` may depend on what the device has.

    ``interleaved`` is for two arms: where one of them cannot run, neither does.
    """

    arms: Callable[[DeviceInfo], Sequence[ArmRequest]]
    evaluation: EvaluationSet | None
    reduction: Reduction
    inputs: EvaluationSet | None
    scratch: Path
    profile: bool = False
    interleaved: BlockSchedule | None = None


@dataclass(frozen=True)
class Measured:
    request: ArmRequest
    device: DeviceRef
    raw: RawArm
    job_id: str
    blocks: tuple[Mapping[int, Int64Array], ...] = ()


@asynccontextmanager
async def connected(device: InventoryDevice, state: Path) -> AsyncIterator[AgentClient]:
    """A client for the device; the local device's agent lives as long as the client."""
    if device.is_local:
        async with local_agent(state) as address, AgentClient(device.name, address) as client:
            yield client
    else:
        async with AgentClient(device.name, device.address) as client:
            yield client


async def measure_on(
    device: InventoryDevice, state: Path, workload: Workload, on_progress: OnProgress
) -> list[Measured]:
    """Raises DeviceUnreachable or TrimtabError where nothing could be measured at all.

    Cancelling it cancels the job on the device before it returns.
    """
    async with connected(device, state) as client:
        info = await client.device_info()
        reference = DeviceRef(device.name, info.device_id, info.description)
        arms = tuple(workload.arms(info))
        runnable, refused = _split(arms, info)
        measured = [Measured(arm, reference, raw, "") for arm, raw in refused]
        if runnable and not (workload.interleaved and refused):
            job = _Job(client, workload, runnable, on_progress)
            measured += [
                Measured(arm, reference, raw, job.job_id, job.blocks(arm))
                for arm, raw in await job.run(info.max_chunk_bytes)
            ]
        order = {arm.name: position for position, arm in enumerate(arms)}
        return sorted(measured, key=lambda each: order[each.request.name])


class _Job:
    def __init__(
        self,
        client: AgentClient,
        workload: Workload,
        arms: tuple[ArmRequest, ...],
        on_progress: OnProgress,
    ) -> None:
        self.job_id = ""
        self._client = client
        self._workload = workload
        self._arms = arms
        self._on_progress = on_progress
        self._collector = JobCollector(arms)
        passes = 1 + bool(workload.evaluation) + workload.profile  # 1: the memory pass
        passes = 0 if workload.interleaved else passes
        self._total = sum(arm.settings.repeats + passes for arm in arms)
        self._last = ""
        self._done: set[tuple[str, str, int]] = set()  # a repeat may be measured again

    async def run(self, chunk_bytes: int) -> list[tuple[ArmRequest, RawArm]]:
        await self._push(chunk_bytes)
        workload = self._workload
        request = JobRequest(
            request_id=uuid.uuid4().hex,
            arms=self._arms,
            inputs=workload.inputs.digest if workload.inputs else None,
            evaluation=workload.evaluation,
            reduction=workload.reduction,
            profile=workload.profile,
            interleaved=workload.interleaved,
        )
        try:
            self.job_id = await self._client.submit(request)
            async with told_live(self._client, self._show):
                await self._watch()
            collected = [(arm, await self._profiled(arm)) for arm in self._arms]
            await self._client.acknowledge(self.job_id)
        except asyncio.CancelledError:
            await asyncio.shield(self._cancel())
            raise
        return collected

    def blocks(self, arm: ArmRequest) -> tuple[Mapping[int, Int64Array], ...]:
        return self._collector.blocks(arm.name) if self._workload.interleaved else ()

    async def _push(self, chunk_bytes: int) -> None:
        files = {file.digest: file.path for arm in self._arms for file in arm.artifact.files}
        for data in (self._workload.evaluation, self._workload.inputs):
            if data is not None:
                files[data.digest] = data.path
        await push(
            self._client,
            [(path, digest) for digest, path in files.items()],
            chunk_bytes,
            lambda path, size: self._say(f"sent {path.name} ({size / 1e6:.2f} MB)"),
        )

    async def _watch(self) -> None:
        attempts = 0
        while not self._collector.terminal_state:
            before = self._collector.last_sequence
            try:
                async for update in self._client.watch(self.job_id, before):
                    self._take(update)
            except DeviceUnreachable:
                attempts = attempts + 1 if self._collector.last_sequence == before else 1
                if attempts > _RECONNECT_ATTEMPTS:
                    raise
                self._say("connection lost; asking again", "warning")
                await asyncio.sleep(_RECONNECT_S)

    def _take(self, update: JobUpdate) -> None:
        self._collector.take(update)
        if update.log is not None:
            severity, text = update.log
            self._say(f"{update.arm}: {text}" if update.arm else text, severity)
        if update.phase in ("load", *_PASSES) and update.repeat_count:
            self._say(_describe(update))
            self._done.add((update.arm, update.phase, update.repeat_index))
        if update.outcome is not None and update.outcome.failure is not None:
            failure = update.outcome.failure
            self._say(f"{update.arm}: {failure.failure_class}: {failure.message}", "error")

    def _show(self, telemetry: str) -> None:
        count, total = len(self._done), self._total
        self._on_progress(
            Progress(self._client.device, self._last, count, total, telemetry=telemetry)
        )

    def _say(self, text: str, severity: str = "info") -> None:
        self._last = text
        self._on_progress(
            Progress(self._client.device, text, len(self._done), self._total, severity or "info")
        )

    async def _raw(self, arm: ArmRequest) -> RawArm:
        outcome = self._collector.outcome(arm.name)
        digest = outcome.evaluation_outputs if outcome else None
        if digest is None:
            return self._collector.raw_arm(arm.name, None, None)
        target = self._workload.scratch / f"{digest.sha256}.npz"
        try:
            await pull(self._client, digest, target)
        except TrimtabError as error:
            failure = Failure("device", f"the outputs did not come back: {error.message}")
            return self._collector.raw_arm(arm.name, None, failure)
        return self._collector.raw_arm(arm.name, target, None)

    async def _profiled(self, arm: ArmRequest) -> RawArm:
        raw = await self._raw(arm)
        if not self._workload.profile or raw.failure is not None:
            return raw
        outcome = self._collector.outcome(arm.name)
        digest = outcome.operator_profile if outcome else None
        reason = raw.unavailable.get("operator_profile", "the device sent no profile")
        return replace(
            raw, profile=await pull_profile(self._client, digest, self._workload.scratch, reason)
        )

    async def _cancel(self) -> None:
        if not self.job_id:
            return
        try:
            await self._client.cancel(self.job_id)
            await asyncio.wait_for(self._watch(), timeout=10)
        except (TrimtabError, DeviceUnreachable, TimeoutError) as error:
            self._say(f"the job could not be cancelled: {error}", "warning")


def _split(
    arms: Sequence[ArmRequest], info: DeviceInfo
) -> tuple[tuple[ArmRequest, ...], list[tuple[ArmRequest, RawArm]]]:
    """Arms this device can try, and those whose runtime it does not have."""
    runtimes = {runtime.name: runtime for runtime in info.runtimes}
    runnable: list[ArmRequest] = []
    refused: list[tuple[ArmRequest, RawArm]] = []
    for arm in arms:
        failure = why_not(arm, runtimes.get(arm.settings.runtime))
        if failure is None:
            runnable.append(arm)
        else:
            refused.append((arm, failed_arm(arm, failure)))
    return tuple(runnable), refused


def why_not(arm: ArmRequest, runtime: RuntimeInfo | None) -> Failure | None:
    """Why this device cannot even try the arm; None where it can."""
    settings = arm.settings
    if runtime is None:
        return Failure("device", f"this device's agent knows no runtime {settings.runtime}")
    if runtime.unavailable_reason:
        return Failure("device", runtime.unavailable_reason)
    if runtime.formats and arm.artifact.format not in runtime.formats:
        reads = ", ".join(f".{name}" for name in runtime.formats)
        return Failure("model", f"{runtime.name} reads {reads}, not .{arm.artifact.format}")
    if settings.accelerator in runtime.absent_accelerators:
        missing = runtime.absent_accelerators[settings.accelerator]
        return Failure("device", f"{settings.accelerator} cannot be used here: {missing}")
    if settings.accelerator not in runtime.accelerators:
        has = ", ".join(runtime.accelerators)
        reason = f"{runtime.name} has no accelerator {settings.accelerator} here; it has {has}"
        return Failure("device", reason)
    return _too_new(arm, runtime)


def _too_new(arm: ArmRequest, runtime: RuntimeInfo) -> Failure | None:
    """Known before the file is sent; what it holds else is the runtime's to judge."""
    if (runtime.name, arm.artifact.format) != ("onnxruntime", "onnx"):
        return None
    reason = too_new_for(arm.artifact.files[0].path, runtime.version)
    return Failure("model", reason) if reason else None


def _describe(update: JobUpdate) -> str:
    if update.phase == "load":
        return f"{update.arm}: repeat {update.repeat_index + 1} of {update.repeat_count}"
    return f"{update.arm}: {_PASSES[update.phase]}"
