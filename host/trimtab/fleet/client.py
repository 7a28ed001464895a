"""One agent over gRPC: the host's only module, beside ``convert``, that sees protobuf types."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, cast

import grpc.aio
from trimtab_protos.digest import Digest
from trimtab_protos.v1 import (
    artifact_pb2,
    artifact_pb2_grpc,
    benchmark_pb2,
    benchmark_pb2_grpc,
    device_pb2,
    device_pb2_grpc,
)

from trimtab.fleet import convert
from trimtab.fleet.channel import open_channel
from trimtab.fleet.errors import translated
from trimtab.fleet.jobs import DeviceInfo, JobRequest, JobUpdate

if TYPE_CHECKING:
    _Devices = device_pb2_grpc.DeviceServiceAsyncStub
    _Artifacts = artifact_pb2_grpc.ArtifactServiceAsyncStub
    _Benchmarks = benchmark_pb2_grpc.BenchmarkServiceAsyncStub

_DEADLINE_S = 20.0
_CHUNK_BYTES = 1 << 20


class AgentClient:
    """Every method raises TrimtabError (the agent refused) or DeviceUnreachable."""

    def __init__(self, device: str, address: str) -> None:
        self.device = device
        self._channel = open_channel(address)
        # The stubs' types tell the asynchronous ones apart, the constructors do not.
        self._devices = cast("_Devices", device_pb2_grpc.DeviceServiceStub(self._channel))
        self._artifacts = cast("_Artifacts", artifact_pb2_grpc.ArtifactServiceStub(self._channel))
        self._benchmarks = cast(
            "_Benchmarks", benchmark_pb2_grpc.BenchmarkServiceStub(self._channel)
        )

    async def __aenter__(self) -> AgentClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._channel.close()

    @property
    def channel(self) -> grpc.aio.Channel:
        """For the stubs of services that this class does not know."""
        return self._channel

    async def device_info(self, deadline_s: float = _DEADLINE_S) -> DeviceInfo:
        with translated(self.device):
            answer = await self._devices.GetDeviceInfo(
                device_pb2.GetDeviceInfoRequest(), timeout=deadline_s
            )
        return convert.device_info(answer.device_info)

    async def find_missing(self, digests: Iterable[Digest]) -> set[Digest]:
        request = artifact_pb2.FindMissingArtifactsRequest(
            digests=[convert.digest_to_proto(digest) for digest in digests]
        )
        with translated(self.device):
            answer = await self._artifacts.FindMissingArtifacts(request, timeout=_DEADLINE_S)
        return {convert.digest(missing) for missing in answer.missing_digests}

    async def upload(self, path: Path, digest: Digest, chunk_bytes: int) -> None:
        """Sends what the agent does not have yet of this file, from where it broke off."""
        with translated(self.device):
            status = await self._artifacts.GetUploadStatus(
                artifact_pb2.GetUploadStatusRequest(digest=convert.digest_to_proto(digest)),
                timeout=_DEADLINE_S,
            )
            if status.complete:
                return
            size = min(chunk_bytes or _CHUNK_BYTES, _CHUNK_BYTES)
            await self._artifacts.UploadArtifact(_chunks(path, digest, status.committed_size, size))

    async def download(self, digest: Digest, target: Path) -> None:
        """Verified by the caller's digest of the finished file."""
        request = artifact_pb2.DownloadArtifactRequest(digest=convert.digest_to_proto(digest))
        with translated(self.device), target.open("wb") as file:
            async for part in self._artifacts.DownloadArtifact(request):
                file.write(part.data)

    async def submit(self, request: JobRequest) -> str:
        """The job's id; the same request_id gives the same job."""
        with translated(self.device):
            answer = await self._benchmarks.SubmitJob(
                convert.submit_request(request), timeout=_DEADLINE_S
            )
        return str(answer.job.job_id)

    async def watch(self, job_id: str, after_sequence: int) -> AsyncIterator[JobUpdate]:
        request = benchmark_pb2.WatchJobRequest(job_id=job_id, after_sequence=after_sequence)
        with translated(self.device):
            async for answer in self._benchmarks.WatchJob(request):
                yield convert.job_update(answer.event)

    async def telemetry(self) -> AsyncIterator[tuple[str, int, float]]:
        """Name, time on the device's boot clock in nanoseconds, value; until the caller stops."""
        request = device_pb2.WatchTelemetryRequest()
        with translated(self.device):
            async for answer in self._devices.WatchTelemetry(request):
                yield answer.sensor, answer.boot_time_ns, answer.value

    async def cancel(self, job_id: str) -> None:
        with translated(self.device):
            await self._benchmarks.CancelJob(
                benchmark_pb2.CancelJobRequest(job_id=job_id), timeout=_DEADLINE_S
            )

    async def acknowledge(self, job_id: str) -> None:
        with translated(self.device):
            await self._benchmarks.AcknowledgeJob(
                benchmark_pb2.AcknowledgeJobRequest(job_id=job_id), timeout=_DEADLINE_S
            )


def _chunks(
    path: Path, digest: Digest, offset: int, size: int
) -> Iterator[artifact_pb2.UploadArtifactRequest]:
    with path.open("rb") as file:
        file.seek(offset)
        first = True
        while True:
            data = file.read(size)
            last = offset + len(data) >= digest.size_bytes or not data
            yield artifact_pb2.UploadArtifactRequest(
                digest=convert.digest_to_proto(digest) if first else None,
                write_offset=offset,
                data=data,
                finish_write=last,
            )
            if last:
                return
            offset += len(data)
            first = False
