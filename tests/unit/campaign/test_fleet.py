"""One device's trouble is not the others'."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from trimtab.campaign import fleet
from trimtab.campaign.fleet import Campaign, measure_fleet
from trimtab.campaign.plan import Choices
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.progress import Progress
from trimtab.records import MeasurementSettings

DEVICES = tuple(InventoryDevice(name, "10.0.0.1:7433") for name in ("a", "b"))


async def test_a_full_disk_of_this_host_lets_the_other_devices_jobs_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ended: list[str] = []
    said: list[Progress] = []

    async def measure_on(device: InventoryDevice, *given: Any) -> list[Any]:
        if device.name == "a":
            raise OSError(28, "No space left on device")
        await asyncio.sleep(0.05)
        ended.append(device.name)
        return []

    monkeypatch.setattr(fleet, "measure_on", measure_on)
    choices = Choices(MeasurementSettings(runtime="null"))
    campaign = Campaign(DEVICES, (), choices, tmp_path, tmp_path)
    with pytest.raises(OSError, match="No space left"):
        await measure_fleet(campaign, said.append, lambda results: None)
    assert ended == ["b"]
    assert [(each.device, each.severity) for each in said] == [("a", "error")]
