"""The devices that a command means, from its selectors."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from trimtab.fleet.ask import ask_devices
from trimtab.fleet.inventory import InventoryDevice, home_inventory
from trimtab.fleet.inventory_selection import Selection
from trimtab.fleet.jobs import DeviceInfo
from trimtab.home import home
from trimtab.plain_text import printable
from trimtab.records import UserError

_said: set[str] = set()  # `run` selects before it builds and again before it measures


def select_devices(selectors: Sequence[str]) -> tuple[InventoryDevice, ...]:
    """Devices are asked only where a selector speaks of what they have; one that does not answer
    then is passed over, with a line on standard error. Raises UserError."""
    return find_devices(selectors).devices


def find_devices(
    selectors: Sequence[str], *, silent_will_do: bool = False, local_if_named: bool = False
) -> Selection:
    """As :func:`select_devices`, with those that were passed over. For the switches see
    ``Inventory.find``."""
    state = local_agent_state()

    def ask(devices: Sequence[InventoryDevice]) -> dict[str, DeviceInfo | str]:
        return asyncio.run(ask_devices(devices, state))

    selection = home_inventory().find(
        selectors, ask, silent_will_do=silent_will_do, local_if_named=local_if_named
    )
    for name, reason in selection.silent.items():
        _say_once(f"passed over: {name} does not answer: {printable(reason)}")
    return selection


def devices_again(names: Sequence[str]) -> tuple[InventoryDevice, ...]:
    """Those that a run was begun on. One that was removed from the inventory since is among them:
    what came from it counts. Raises UserError where the inventory cannot be read."""
    known = {device.name: device for device in home_inventory().devices()}
    return tuple(known.get(name) or InventoryDevice(name, "", is_removed=True) for name in names)


def _say_once(line: str) -> None:
    if line not in _said:
        _said.add(line)
        print(line, file=sys.stderr)  # noqa: T201 - for every command that selects


def select_one(selectors: Sequence[str], advice: str) -> InventoryDevice:
    """For what can be done with one device only. ``advice``: what to do where several are meant.

    Raises UserError, also where they mean several.
    """
    found = select_devices(selectors)
    if len(found) != 1:
        names = ", ".join(each.name for each in found)
        raise UserError(f"{' '.join(selectors)} names {len(found)} devices, {names}", advice)
    return found[0]


def local_agent_state() -> Path:
    return home() / "local-agent"
