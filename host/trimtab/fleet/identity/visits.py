"""What the authority brings to many devices at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import grpc.aio
from trimtab_protos.errors import TrimtabError

from trimtab.fleet.client import AgentClient
from trimtab.fleet.errors import DeviceUnreachable
from trimtab.fleet.identity.upkeep import renew, tell_revocations
from trimtab.fleet.inventory_device import InventoryDevice

_AT_ONCE = 32
_Errand = Callable[[str, grpc.aio.Channel], Awaitable[None]]


async def tell_all(devices: Sequence[InventoryDevice]) -> dict[str, str]:
    """The newest revocation list; why not, by device, where it could not be brought."""
    return await _visit(devices, tell_revocations)


async def rotate_all(devices: Sequence[InventoryDevice]) -> dict[str, str]:
    """A new key and certificate each; why not, by device."""
    return await _visit(devices, renew)


async def _visit(devices: Sequence[InventoryDevice], errand: _Errand) -> dict[str, str]:
    places = asyncio.Semaphore(_AT_ONCE)

    async def visit(device: InventoryDevice) -> str:
        async with places:
            try:
                async with AgentClient(device.name, device.address) as client:
                    await errand(device.name, client.channel)
            except (DeviceUnreachable, TrimtabError) as error:
                return str(error)
            return ""

    answers = await asyncio.gather(*(visit(device) for device in devices))
    return {each.name: text for each, text in zip(devices, answers, strict=True) if text}
