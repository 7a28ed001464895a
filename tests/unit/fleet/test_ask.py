"""What many devices are is asked with as many open files as that takes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from trimtab.fleet import ask
from trimtab.fleet.inventory import InventoryDevice


def test_as_many_files_may_be_open_as_devices_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[object] = []

    async def answer(device: InventoryDevice, state: Path) -> str:
        steps.append(device.name)
        return "silent"

    monkeypatch.setattr(ask, "allow_open_files", steps.append)
    monkeypatch.setattr(ask, "ask_device", answer)
    devices = [InventoryDevice(name, f"unix:/{name}") for name in ("a", "b")]

    answers = asyncio.run(ask.ask_devices(devices, tmp_path))

    assert steps == [2, "a", "b"]
    assert answers == {"a": "silent", "b": "silent"}
