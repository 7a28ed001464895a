"""DeviceService: what the device is, who holds it, and what it does right now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from trimtab_protos.errors import SpecInvalid
from trimtab_protos.v1 import device_pb2, device_pb2_grpc

from trimtab_agent import __version__
from trimtab_agent.callers import certificate_name, shown_holder
from trimtab_agent.config import MAX_CHUNK_BYTES
from trimtab_agent.convert import device_to_message
from trimtab_agent.convert_spec import check_text
from trimtab_agent.convert_status import check_holder, check_ttl, lease_message, status_message
from trimtab_agent.inventory import Inventory
from trimtab_agent.leases import Ask, Lease, LeaseDesk
from trimtab_agent.status import StatusTeller
from trimtab_agent.telemetry import FIGURES, Telemetry


class DeviceServicer(device_pb2_grpc.DeviceServiceServicer):
    def __init__(
        self,
        inventory: Inventory,
        telemetry: Telemetry,
        leases: LeaseDesk,
        status: StatusTeller,
    ) -> None:
        self._inventory = inventory
        self._telemetry = telemetry
        self._leases = leases
        self._status = status

    async def GetDeviceInfo(  # noqa: N802
        self, request: device_pb2.GetDeviceInfoRequest, context: Any
    ) -> device_pb2.GetDeviceInfoResponse:
        info = await self._inventory.device()
        message = device_to_message(info, __version__, MAX_CHUNK_BYTES)
        return device_pb2.GetDeviceInfoResponse(device_info=message)

    async def AcquireLease(  # noqa: N802
        self, request: device_pb2.AcquireLeaseRequest, context: Any
    ) -> device_pb2.AcquireLeaseResponse:
        request_id = check_text(request.request_id, "request_id")
        holder = check_holder(check_text(request.holder, "holder"))
        ask = Ask(certificate_name(context), request_id, shown_holder(holder, context))
        lease = self._leases.acquire(ask, check_ttl(request))
        return device_pb2.AcquireLeaseResponse(lease=self._message(lease))

    async def RenewLease(  # noqa: N802
        self, request: device_pb2.RenewLeaseRequest, context: Any
    ) -> device_pb2.RenewLeaseResponse:
        lease = self._leases.renew(request.lease_id, check_ttl(request))
        return device_pb2.RenewLeaseResponse(lease=self._message(lease))

    async def ReleaseLease(  # noqa: N802
        self, request: device_pb2.ReleaseLeaseRequest, context: Any
    ) -> device_pb2.ReleaseLeaseResponse:
        self._leases.release(request.lease_id)
        return device_pb2.ReleaseLeaseResponse()

    async def GetDeviceStatus(  # noqa: N802
        self, request: device_pb2.GetDeviceStatusRequest, context: Any
    ) -> device_pb2.GetDeviceStatusResponse:
        status = await self._status.status()
        return device_pb2.GetDeviceStatusResponse(status=status_message(status))

    async def WatchTelemetry(  # noqa: N802
        self, request: device_pb2.WatchTelemetryRequest, context: Any
    ) -> AsyncIterator[device_pb2.WatchTelemetryResponse]:
        unknown = sorted(set(request.sensors) - set(FIGURES))
        if unknown:
            known = ", ".join(FIGURES)
            raise SpecInvalid(f"sensors: {unknown[0][:40]!r} is none of {known}", field="sensors")
        period_s = request.period.ToNanoseconds() / 1e9
        async for moment in self._telemetry.stream(period_s, request.sensors):
            for name, value in moment.values.items():
                yield device_pb2.WatchTelemetryResponse(
                    sensor=name, boot_time_ns=moment.boot_time_ns, value=value
                )

    def _message(self, lease: Lease) -> device_pb2.Lease:
        remaining_ns = self._leases.book.remaining_ns(lease)
        return lease_message(lease.holder, remaining_ns, lease.lease_id)
