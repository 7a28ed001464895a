"""A look at a device keeps what came while another answer was waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.live import look_once
from trimtab_protos.v1 import device_pb2, device_pb2_grpc

_IN_BETWEEN_S = 0.3


class _Device(device_pb2_grpc.DeviceServiceServicer):
    """Its status comes after its only telemetry."""

    def __init__(self) -> None:
        self._told = asyncio.Event()

    async def WatchTelemetry(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        # A moment is whole when the next one begins.
        for at in (1, 2):
            yield device_pb2.WatchTelemetryResponse(sensor="cpu_busy", boot_time_ns=at, value=0.5)
        self._told.set()
        await asyncio.Event().wait()

    async def GetDeviceStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        await self._told.wait()
        await asyncio.sleep(_IN_BETWEEN_S)
        status = device_pb2.DeviceStatus(disk_free_bytes=7)
        return device_pb2.GetDeviceStatusResponse(status=status)


async def test_telemetry_that_comes_before_the_status_is_kept(tmp_path: Path) -> None:
    server, device = grpc.aio.server(), _Device()  # type: ignore[abstract]  # asked for no more
    device_pb2_grpc.add_DeviceServiceServicer_to_server(device, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        seen = await look_once(InventoryDevice("pi5", f"127.0.0.1:{port}"), tmp_path)
    finally:
        await server.stop(None)

    assert seen.status is not None
    assert (seen.status.disk_free_bytes, seen.telemetry) == (7, {"cpu_busy": 0.5})
