"""What a device is doing, who holds it and who waits, as its agent tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.duration_pb2 import Duration
from trimtab_protos.errors import TrimtabError
from trimtab_protos.v1 import device_pb2, device_pb2_grpc

from trimtab.fleet.client import AgentClient
from trimtab.fleet.dispatch import connected
from trimtab.fleet.errors import DeviceUnreachable, NoAnswer, no_answer, translated
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.jobs import DeviceInfo
from trimtab.fleet.open_files import allow_open_files
from trimtab.plain_text import cleaned

DEADLINE_S = 5.0
FEATURE = "status"
# The local agent is started for the question.
_LOCAL_DEADLINE_S = 30.0


@dataclass(frozen=True)
class JobSummary:
    """``running_s`` 0: it waits."""

    job_id: str
    holder: str
    state: str
    arm: str
    repeat_index: int
    running_s: float


@dataclass(frozen=True)
class DeviceStatus:
    """``holder`` None: nobody holds it; ``""``: somebody without a name. ``held_s``: so long the
    lease lasts unless it is renewed."""

    holder: str | None
    held_s: float
    waiting: tuple[str, ...]
    jobs: tuple[JobSummary, ...]
    disk_free_bytes: int
    artifact_bytes: int
    results_waiting: int
    agent_memory_bytes: int
    agent_uptime_s: float

    @property
    def running(self) -> JobSummary | None:
        return next((job for job in self.jobs if job.running_s), None)

    @property
    def queued(self) -> int:
        return len(self.jobs) - (self.running is not None)


@dataclass(frozen=True)
class Answer:
    """``status`` None: an older agent, which does not tell."""

    info: DeviceInfo
    status: DeviceStatus | None


async def device_status(client: AgentClient, deadline_s: float = DEADLINE_S) -> DeviceStatus:
    """Raises TrimtabError or DeviceUnreachable."""
    stub: Any = device_pb2_grpc.DeviceServiceStub(client.channel)
    with translated(client.device):
        request = device_pb2.GetDeviceStatusRequest()
        answer = await stub.GetDeviceStatus(request, timeout=deadline_s)
    return cleaned(_status(answer.status))


async def ask_status(
    devices: Sequence[InventoryDevice], state: Path
) -> dict[str, Answer | NoAnswer]:
    """By name, of all at once; each has five seconds.

    ``state``: the local agent's folder.
    """
    allow_open_files(len(devices))
    answers = await asyncio.gather(*(_ask(device, state) for device in devices))
    return {device.name: answer for device, answer in zip(devices, answers, strict=True)}


async def _ask(device: InventoryDevice, state: Path) -> Answer | NoAnswer:
    limit_s = _LOCAL_DEADLINE_S if device.is_local else DEADLINE_S
    try:
        async with asyncio.timeout(limit_s), connected(device, state) as client:
            info = await client.device_info(limit_s)
            told = FEATURE in info.features
            return Answer(info, await device_status(client) if told else None)
    except TimeoutError:
        text = f"no agent answers for device {device.name} within {limit_s:g} s"
        return no_answer(DeviceUnreachable(text))
    except (DeviceUnreachable, TrimtabError) as error:
        return no_answer(error)


def _status(message: device_pb2.DeviceStatus) -> DeviceStatus:
    lease = message.lease if message.HasField("lease") else None
    return DeviceStatus(
        holder=None if lease is None else lease.holder,
        held_s=0.0 if lease is None else _seconds(lease.remaining),
        waiting=tuple(message.waiting_holders),
        jobs=tuple(_job(job) for job in message.jobs),
        disk_free_bytes=message.disk_free_bytes,
        artifact_bytes=message.artifact_bytes,
        results_waiting=message.unacknowledged_job_count,
        agent_memory_bytes=message.agent_memory_bytes,
        agent_uptime_s=_seconds(message.agent_uptime),
    )


def _job(message: device_pb2.JobSummary) -> JobSummary:
    return JobSummary(
        job_id=message.job_id,
        holder=message.holder,
        state=message.state,
        arm=message.arm,
        repeat_index=message.repeat_index,
        running_s=_seconds(message.running),
    )


def _seconds(message: Duration) -> float:
    return message.seconds + message.nanos / 1e9
