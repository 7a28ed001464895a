"""Devices that a user has added already, without a start of the command line for each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from trimtab.fleet.inventory import Inventory


def know_devices(home: Path, addresses: Mapping[str, str]) -> None:
    """``addresses``: of each device, by its name. None of them is asked."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    inventory = Inventory(home / "devices.toml")
    for name, address in addresses.items():
        inventory.add(name, address, {})
