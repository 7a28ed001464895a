"""A client for one device."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from trimtab.fleet.client import AgentClient
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.local import local_agent


@asynccontextmanager
async def connected(device: InventoryDevice, state: Path) -> AsyncIterator[AgentClient]:
    """A client for the device; the local device's agent lives as long as the client."""
    if device.is_local:
        async with local_agent(state) as address, AgentClient(device.name, address) as client:
            yield client
    else:
        async with AgentClient(device.name, device.address) as client:
            yield client
