"""One agent over gRPC: the host's only module, beside ``convert``, that sees protobuf types."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

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
from trimtab.fleet.address import tls_place
from trimtab.fleet.channel import open_channel
from trimtab.fleet.errors import translated
from trimtab.fleet.identity.link import tls_link
from trimtab.fleet.identity.upkeep import look_after
from trimtab.fleet.jobs import DeviceInfo, JobRequest, JobUpdate, Lease

if TYPE_CHECKING:
    _Devices = device_pb2_grpc.DeviceServiceAsyncStub
    _Artifacts = artifact_pb2_grpc.ArtifactServiceAsyncStub
    _Benchmarks = benchmark_pb2_grpc.BenchmarkServiceAsyncStub

_DEADLINE_S = 20.0
_PING_DEADLINE_S = 10.0


class AgentClient:
    """Every method raises TrimtabError (the agent refused) or DeviceUnreachable."""

    def __init__(self, device: str, address: str) -> None:
        """Raises IdentityProblem where the address wants TLS and this host has no identity."""
        self.device = device
        place = tls_place(address)
        self._link = None if place is None else tls_link(device, place)
        self._channel = open_channel(address, self._link)
        # The stubs' types tell the asynchronous ones apart, the constructors do not.
        self._devices = cast("_Devices", device_pb2_grpc.DeviceServiceStub(self._channel))
        self._artifacts = cast("_Artifacts", artifact_pb2_grpc.ArtifactServiceStub(self._channel))
        self._benchmarks = cast(
            "_Benchmarks", benchmark_pb2_grpc.BenchmarkServiceStub(self._channel)
        )

    async def __aenter__(self) -> AgentClient:
        """Raises IdentityProblem or DeviceUnreachable where there is TLS and it cannot be."""
        if self._link is not None:
            try:
                seen = await self._link.look()
                await look_after(self.device, seen, self._channel)
            except BaseException:
                await self._channel.close()
                raise
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

    async def submit(self, request: JobRequest) -> str:
        """The job's id; the same request_id gives the same job."""
        with translated(self.device):
            answer = await self._benchmarks.SubmitJob(
                convert.submit_request(request), timeout=_DEADLINE_S
            )
        return str(answer.job.job_id)

    async def watch(
        self, job_id: str, after_sequence: int
    ) -> AsyncIterator[tuple[bytes, JobUpdate]]:
        """Each event as it came, and what it says."""
        request = benchmark_pb2.WatchJobRequest(job_id=job_id, after_sequence=after_sequence)
        with translated(self.device):
            async for answer in self._benchmarks.WatchJob(request):
                yield answer.event.SerializeToString(), convert.job_update(answer.event)

    async def ping(self) -> None:
        """Whether the agent still answers."""
        check: Any = self._channel.unary_unary("/grpc.health.v1.Health/Check")
        with translated(self.device):
            await check(b"", timeout=_PING_DEADLINE_S)

    async def acquire_lease(self, request_id: str, holder: str, ttl_s: float) -> Lease:
        """Raises LeaseHeld with holder, remaining_s and position in its metadata."""
        request = device_pb2.AcquireLeaseRequest(
            request_id=request_id, holder=holder, ttl=convert.duration_to_proto(ttl_s)
        )
        with translated(self.device):
            answer = await self._devices.AcquireLease(request, timeout=_DEADLINE_S)
        return convert.lease(answer.lease)

    async def renew_lease(self, lease_id: str, ttl_s: float) -> Lease:
        """Raises LeaseExpired."""
        request = device_pb2.RenewLeaseRequest(
            lease_id=lease_id, ttl=convert.duration_to_proto(ttl_s)
        )
        with translated(self.device):
            answer = await self._devices.RenewLease(request, timeout=_DEADLINE_S)
        return convert.lease(answer.lease)

    async def release_lease(self, lease_id: str) -> None:
        request = device_pb2.ReleaseLeaseRequest(lease_id=lease_id)
        with translated(self.device):
            await self._devices.ReleaseLease(request, timeout=_PING_DEADLINE_S / 2)

    async def telemetry(self, period_s: float = 1.0) -> AsyncIterator[tuple[str, int, float]]:
        """Name, time on the device's boot clock in nanoseconds, value; until the caller stops."""
        request = device_pb2.WatchTelemetryRequest(period=convert.duration_to_proto(period_s))
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
