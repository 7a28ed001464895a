"""The jobs of a run that nobody goes on with: their devices need not keep them any more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from trimtab_protos.errors import JobNotFinished, JobUnknown, TrimtabError

from trimtab.fleet.client import AgentClient
from trimtab.fleet.dispatch.connection import connected
from trimtab.fleet.errors import DeviceUnreachable, no_answer
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.ledger import RunLedger

_PATIENCE_S = 15.0
_PAUSE_S = 0.2


async def let_jobs_go(
    devices: Sequence[InventoryDevice], state: Path, ledger: RunLedger
) -> dict[str, str]:
    """Cancels and acknowledges them. Returns why a device could not be told, by its name."""
    reasons = await asyncio.gather(*(_tell(device, state, ledger) for device in devices))
    told = zip(devices, reasons, strict=True)
    return {device.name: reason for device, reason in told if reason}


async def _tell(device: InventoryDevice, state: Path, ledger: RunLedger) -> str:
    """Why it could not be told; empty where it was, or where it has nothing of the run."""
    submissions = ledger.device(device.name).submissions.values()
    jobs = [each.job_id for each in submissions if each.job_id and not each.acknowledged]
    if not jobs:
        return ""
    if device.is_removed:
        return "it was removed from the inventory"
    try:
        async with asyncio.timeout(_PATIENCE_S), connected(device, state) as client:
            for job_id in jobs:
                await _let_go(client, job_id)
    except TimeoutError:
        return f"it did not answer within {_PATIENCE_S:g} s"
    except (DeviceUnreachable, TrimtabError) as error:
        return no_answer(error).reason
    return ""


async def _let_go(client: AgentClient, job_id: str) -> None:
    try:
        await client.cancel(job_id)
        await _acknowledge(client, job_id)
    except JobUnknown:  # it has let it go already
        pass


async def _acknowledge(client: AgentClient, job_id: str) -> None:
    """As soon as it has ended: it is told to, and does so soon after."""
    while True:
        try:
            await client.acknowledge(job_id)
            return
        except JobNotFinished:
            await asyncio.sleep(_PAUSE_S)
