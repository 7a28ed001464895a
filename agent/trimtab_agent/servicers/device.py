"""DeviceService: what the device is, and what it does right now. Leases are not served yet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NoReturn

from trimtab_protos.errors import NotServed, SpecInvalid
from trimtab_protos.v1 import device_pb2, device_pb2_grpc

from trimtab_agent import __version__
from trimtab_agent.config import MAX_CHUNK_BYTES
from trimtab_agent.convert import device_to_message
from trimtab_agent.inventory import Inventory
from trimtab_agent.telemetry import FIGURES, Telemetry


class DeviceServicer(device_pb2_grpc.DeviceServiceServicer):
    def __init__(self, inventory: Inventory, telemetry: Telemetry) -> None:
        self._inventory = inventory
        self._telemetry = telemetry

    async def GetDeviceInfo(  # noqa: N802
        self, request: device_pb2.GetDeviceInfoRequest, context: Any
    ) -> device_pb2.GetDeviceInfoResponse:
        info = await self._inventory.device()
        message = device_to_message(info, __version__, MAX_CHUNK_BYTES)
        return device_pb2.GetDeviceInfoResponse(device_info=message)

    async def AcquireLease(self, request: Any, context: Any) -> NoReturn:  # noqa: N802
        raise _no_leases()

    async def RenewLease(self, request: Any, context: Any) -> NoReturn:  # noqa: N802
        raise _no_leases()

    async def ReleaseLease(self, request: Any, context: Any) -> NoReturn:  # noqa: N802
        raise _no_leases()

    async def GetDeviceStatus(self, request: Any, context: Any) -> NoReturn:  # noqa: N802
        raise NotServed("this agent does not tell what it is doing yet")

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


def _no_leases() -> NotServed:
    return NotServed("this agent hands out no leases yet; jobs are run one at a time, in order")
