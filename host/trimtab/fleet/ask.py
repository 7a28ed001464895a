"""What each of several devices is, asked of all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from trimtab_protos.errors import TrimtabError

from trimtab.fleet.dispatch import connected
from trimtab.fleet.errors import DeviceUnreachable, no_answer
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.jobs import DeviceInfo
from trimtab.fleet.open_files import allow_open_files

DEADLINE_S = 5.0


async def ask_devices(
    devices: Sequence[InventoryDevice], state: Path
) -> dict[str, DeviceInfo | str]:
    """By name; a text says why one does not answer. ``state``: the local agent's folder."""
    allow_open_files(len(devices))
    answers = await asyncio.gather(*(_answer(device, state) for device in devices))
    return {device.name: answer for device, answer in zip(devices, answers, strict=True)}


async def ask_device(device: InventoryDevice, state: Path) -> DeviceInfo:
    """Raises DeviceUnreachable or TrimtabError."""
    async with connected(device, state) as client:
        return await client.device_info(DEADLINE_S)


async def _answer(device: InventoryDevice, state: Path) -> DeviceInfo | str:
    try:
        return await ask_device(device, state)
    except (DeviceUnreachable, TrimtabError) as error:
        return no_answer(error).reason
