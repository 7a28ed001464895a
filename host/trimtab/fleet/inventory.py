"""The devices a user knows by name, kept in ``devices.toml``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from trimtab.fleet.address import check_address
from trimtab.fleet.device_power import checked_power
from trimtab.fleet.inventory_device import LOCAL, LOCAL_DEVICE, InventoryDevice, parse_label
from trimtab.fleet.inventory_file import NAME, read_inventory, write_inventory
from trimtab.fleet.jobs import DeviceInfo
from trimtab.fleet.selectors import RESERVED, Selector, parse_selector
from trimtab.home import home
from trimtab.records import DevicePower, UserError

__all__ = ["LOCAL", "LOCAL_DEVICE", "Inventory", "InventoryDevice", "home_inventory", "parse_label"]

Ask = Callable[[Sequence[InventoryDevice]], Mapping[str, DeviceInfo | str]]


def home_inventory() -> Inventory:
    """Of this user. Raises UserError where its file cannot be read."""
    return Inventory(home() / "devices.toml")


class Inventory:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._devices = read_inventory(path)

    def devices(self) -> tuple[InventoryDevice, ...]:
        """The local device first, then the others in the order they were added."""
        local = self._devices.get(LOCAL, LOCAL_DEVICE)
        return (local, *(each for each in self._devices.values() if not each.is_local))

    def add(self, name: str, address: str, labels: Mapping[str, str]) -> InventoryDevice:
        """Raises UserError where the name is taken or malformed, or the address is not allowed."""
        if not NAME.fullmatch(name) or name in (LOCAL, *RESERVED):
            raise UserError(
                f"not a name for a device: {name!r}",
                "letters, digits, dots, dashes, at most 64; `local` is this machine, and "
                f"{', '.join(RESERVED)} are words of selectors",
            )
        if name in self._devices:
            raise UserError(f"there is a device {name} already", f"trimtab devices remove {name}")
        device = InventoryDevice(name, check_address(address), dict(labels))
        self._devices[name] = device
        self._write()
        return device

    def set_power(self, name: str, power: DevicePower) -> InventoryDevice:
        """Also for the local device. Raises UserError for an unknown name or a wrong figure."""
        (device,) = self.select([name])
        device = replace(device, power=checked_power(power))
        self._devices[device.name] = device
        self._write()
        return device

    def set_labels(self, name: str, changes: Sequence[str]) -> InventoryDevice:
        """``KEY=VALUE`` sets, ``KEY-`` removes. Raises UserError for an unknown name, and for what
        is neither."""
        if name not in self._devices or name == LOCAL:
            raise UserError(f"there is no device {name} to label", self._known())
        labels = dict(self._devices[name].labels)
        for change in changes:
            if change.endswith("-") and "=" not in change:
                labels.pop(change[:-1], None)
            else:
                key, value = parse_label(change)
                labels[key] = value
        device = replace(self._devices[name], labels=labels)
        self._devices[name] = device
        self._write()
        return device

    def remove(self, name: str) -> None:
        if name not in self._devices or name == LOCAL:
            raise UserError(f"there is no device {name}", self._known())
        del self._devices[name]
        self._write()

    def select(
        self, selectors: Sequence[str], ask: Ask | None = None
    ) -> tuple[InventoryDevice, ...]:
        """None twice, in the selectors' order; ``()`` means local. ``ask``: for selectors that
        speak of what a device has; None: such a selector is refused.

        Raises UserError for what is no selector, and for one that matches nothing.
        """
        parsed = [parse_selector(text) for text in selectors or (LOCAL,)]
        known = self.devices()
        told = self._asked(parsed, known, ask)
        chosen: dict[str, InventoryDevice] = {}
        for selector in parsed:
            matches = [device for device in known if _matches(selector, device, told)]
            if not matches:
                silent = [
                    f"{name} does not answer ({answer})"
                    for name, answer in told.items()
                    if selector.asks and isinstance(answer, str)
                ]
                message = "; ".join([f"no device matches {selector.text}", *silent])
                raise UserError(message, self._known())
            chosen.update({device.name: device for device in matches})
        return tuple(chosen.values())

    def _asked(
        self, selectors: Sequence[Selector], known: Sequence[InventoryDevice], ask: Ask | None
    ) -> Mapping[str, DeviceInfo | str]:
        asking = next((each for each in selectors if each.asks), None)
        if asking is None:
            return {}
        if ask is None:
            message = f"{asking.text}: what a device has cannot be asked here"
            raise UserError(message, "name the device, or select it by a label")
        return ask(known)

    def _known(self) -> str:
        names = ", ".join(device.name for device in self.devices())
        return f"known devices: {names}; add one with `trimtab devices add NAME ADDRESS`"

    def _write(self) -> None:
        write_inventory(self._path, tuple(self._devices.values()))


def _matches(
    selector: Selector, device: InventoryDevice, told: Mapping[str, DeviceInfo | str]
) -> bool:
    answer = told.get(device.name)
    info = None if isinstance(answer, str) else answer
    return (info is not None or not selector.asks) and selector.matches(device, info)
