"""Which of the known devices selectors mean, where some of them do not answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.jobs import DeviceInfo
from trimtab.fleet.selectors import Selector
from trimtab.records import UserError

Ask = Callable[[Sequence[InventoryDevice]], Mapping[str, DeviceInfo | str]]


@dataclass(frozen=True)
class Meant:
    """What one selector means. ``silent``: devices that it may mean, by name, each with why it
    does not answer."""

    text: str
    devices: tuple[InventoryDevice, ...]
    silent: Mapping[str, str]


@dataclass(frozen=True)
class Selection:
    """By selector, in the selectors' order."""

    meant: tuple[Meant, ...]

    @property
    def devices(self) -> tuple[InventoryDevice, ...]:
        """None twice."""
        return tuple({one.name: one for each in self.meant for one in each.devices}.values())

    @property
    def silent(self) -> dict[str, str]:
        """Those that are left out because they do not answer, each with the reason."""
        chosen = {device.name for device in self.devices}
        silent = {name: why for each in self.meant for name, why in each.silent.items()}
        return {name: why for name, why in silent.items() if name not in chosen}


def choose(
    selectors: Sequence[Selector], known: Sequence[InventoryDevice], ask: Ask | None
) -> Selection:
    """Only devices that a selector leaves open are asked. Raises UserError where there are some
    and no ``ask``."""
    told = _told(selectors, known, ask)
    return Selection(tuple(_meant(selector, known, told) for selector in selectors))


def _told(
    selectors: Sequence[Selector], known: Sequence[InventoryDevice], ask: Ask | None
) -> Mapping[str, DeviceInfo | str]:
    undecided: dict[str, InventoryDevice] = {}
    for selector in selectors:
        left_open = {each.name: each for each in known if selector.matches(each, None) is None}
        if left_open and ask is None:
            message = f"{selector.text}: what a device has cannot be asked here"
            raise UserError(message, "name the device, or select it by a label")
        undecided.update(left_open)
    return ask(tuple(undecided.values())) if undecided and ask else {}


def _meant(
    selector: Selector, known: Sequence[InventoryDevice], told: Mapping[str, DeviceInfo | str]
) -> Meant:
    devices: list[InventoryDevice] = []
    silent: dict[str, str] = {}
    for device in known:
        answer = told.get(device.name)
        info = None if isinstance(answer, str) else answer
        matches = selector.matches(device, info)
        if matches:
            devices.append(device)
        elif matches is None and isinstance(answer, str):
            silent[device.name] = answer
    return Meant(selector.text, tuple(devices), silent)
