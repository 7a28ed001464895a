"""An agent that answers at once, and fails where a test wants it to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from told_devices import told
from trimtab.fleet import convert
from trimtab.fleet.dispatch import Rules, Workload
from trimtab.fleet.jobs import ArmRequest, DeviceInfo, JobRequest, JobUpdate, RuntimeInfo
from trimtab.fleet.ledger import RunLedger
from trimtab.records import Artifact, ArtifactFile, MeasurementSettings
from trimtab_protos.digest import Digest, digest_bytes
from trimtab_protos.v1 import benchmark_pb2


def arm(name: str, runtime: str) -> ArmRequest:
    file = ArtifactFile(name, Path(name), digest_bytes(name.encode()))
    return ArmRequest(name, Artifact("onnx", (file,), 1), MeasurementSettings(runtime=runtime))


ARMS = (arm("a", "null"), arm("b", "litert"))


def device_info(device_id: str = "board-1", litert_unavailable: str = "") -> DeviceInfo:
    def runtime(name: str, reason: str = "") -> RuntimeInfo:
        return RuntimeInfo(name, "1", "", (), ("cpu",), reason)

    return told(
        device_id=device_id,
        board_model="Pi 5",
        machine_arch="aarch64",
        runtimes=(runtime("null"), runtime("litert", litert_unavailable)),
        max_chunk_bytes=0,
    )


def workload(ledger: RunLedger, rules: Rules | None = None) -> Workload:
    rules = rules or Rules(attempts=2, patience_s=0, holder="test")
    return Workload(lambda info: ARMS, None, "none", None, ledger, rules=rules, telemetry_s=None)


class PlayedAgent:
    """``raises``: by the name of the call. ``submitted``: the names of each job's arms."""

    device = "pi5"

    def __init__(self, info: DeviceInfo | None = None, **raises: Exception) -> None:
        self.info = info or device_info()
        self.raises = raises
        self.submitted: list[list[str]] = []
        self.acknowledged: list[str] = []

    async def device_info(self) -> DeviceInfo:
        self._maybe_raise("device_info")
        return self.info

    async def find_missing(self, digests: Any) -> set[Digest]:
        return set()

    async def submit(self, request: JobRequest) -> str:
        self.submitted.append([each.name for each in request.arms])
        self._maybe_raise("submit")
        return f"{len(self.submitted)}-job"

    async def acknowledge(self, job_id: str) -> None:
        self._maybe_raise("acknowledge")
        self.acknowledged.append(job_id)

    async def watch(self, job_id: str, after: int) -> AsyncIterator[tuple[bytes, JobUpdate]]:
        self._maybe_raise("watch")
        for event in job_events([each.name for each in ARMS]):
            if event.sequence > after:
                yield event.SerializeToString(), convert.job_update(event)

    def _maybe_raise(self, call: str) -> None:
        if call in self.raises:
            raise self.raises[call]


def job_events(names: list[str]) -> list[benchmark_pb2.JobEvent]:
    """Of a job that measured them all."""
    events = []
    for number, name in enumerate(names, start=1):
        event = benchmark_pb2.JobEvent(sequence=number, arm=name)
        event.arm_finished.result.arm = name
        events.append(event)
    last = benchmark_pb2.JobEvent(sequence=len(names) + 1)
    last.job_finished.job.state = benchmark_pb2.Job.STATE_SUCCEEDED
    return [*events, last]


def connecting_to(agent: PlayedAgent | Exception) -> Any:
    """In the place of ``connected``."""

    @asynccontextmanager
    async def connected(device: Any, state: Path) -> AsyncIterator[PlayedAgent]:
        if isinstance(agent, Exception):
            raise agent
        yield agent

    return connected
