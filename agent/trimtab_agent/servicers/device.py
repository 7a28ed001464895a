"""DeviceService: what the device is. Leases and telemetry are not served yet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NoReturn

from trimtab_protos.errors import NotServed
from trimtab_protos.v1 import device_pb2, device_pb2_grpc

from trimtab_agent import __version__
from trimtab_agent.config import MAX_CHUNK_BYTES
from trimtab_agent.convert import device_to_message
from trimtab_agent.inventory import Inventory


class DeviceServicer(device_pb2_grpc.DeviceServiceServicer):
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

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

    async def WatchTelemetry(  # noqa: N802
        self, request: Any, context: Any
    ) -> AsyncIterator[device_pb2.WatchTelemetryResponse]:
        raise NotServed("this agent streams no telemetry yet")
        yield device_pb2.WatchTelemetryResponse()  # makes it the stream that gRPC expects


def _no_leases() -> NotServed:
    return NotServed("this agent hands out no leases yet; jobs are run one at a time, in order")
