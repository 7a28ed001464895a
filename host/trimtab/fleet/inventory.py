"""The devices a user knows by name, kept in ``devices.toml``."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w
import tomllib

from trimtab.fleet.address import check_address
from trimtab.fleet.device_power import checked_power, power_entry, power_from
from trimtab.fleet.inventory_device import LOCAL, LOCAL_DEVICE, InventoryDevice, parse_label
from trimtab.fleet.jobs import DeviceInfo
from trimtab.fleet.selectors import Selector, parse_selector
from trimtab.home import home
from trimtab.records import DevicePower, UserError

__all__ = ["LOCAL", "LOCAL_DEVICE", "Inventory", "InventoryDevice", "home_inventory", "parse_label"]

Ask = Callable[[Sequence[InventoryDevice]], Mapping[str, DeviceInfo | str]]
_ENTRY = re.compile(r"\s*\[\[\s*device\s*\]\]")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def home_inventory() -> Inventory:
    """Of this user. Raises UserError where its file cannot be read."""
    return Inventory(home() / "devices.toml")


class Inventory:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._devices = _read(path)

    def devices(self) -> tuple[InventoryDevice, ...]:
        """The local device first, then the others in the order they were added."""
        local = self._devices.get(LOCAL, LOCAL_DEVICE)
        return (local, *(each for each in self._devices.values() if not each.is_local))

    def add(self, name: str, address: str, labels: Mapping[str, str]) -> InventoryDevice:
        """Raises UserError where the name is taken or malformed, or the address is not allowed."""
        if not _NAME.fullmatch(name) or name == LOCAL:
            raise UserError(
                f"not a name for a device: {name!r}",
                "letters, digits, dots, dashes, at most 64; `local` is this machine",
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
        content = {"device": [_entry(device) for device in self._devices.values()]}
        temporary = self._path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            tomli_w.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)


def _read(path: Path) -> dict[str, InventoryDevice]:
    """Raises UserError with the file and, for what is no inventory, the line."""
    if not path.exists():
        return {}
    mend = "mend or delete the file"
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", mend) from error
    entries = content.get("device", [])
    unknown = sorted(set(content) - {"device"})
    if unknown or not isinstance(entries, list):
        what = f"{unknown[0]!r} is none of its keys" if unknown else "device is no list of tables"
        raise UserError(f"{path}: {what}", "each device is a table [[device]]")
    devices: dict[str, InventoryDevice] = {}
    for number, entry in enumerate(entries):
        try:
            device = _device(entry)
            if device.name in devices:
                raise ValueError(f"there are two devices {device.name}")
        except (UserError, KeyError, TypeError, ValueError) as error:
            where = f"{path}:{_line_of_entry(text, number)}"
            advice = error.advice if isinstance(error, UserError) else mend
            raise UserError(
                f"{where}: this device cannot be used: {_why(error)}", advice
            ) from error
        devices[device.name] = device
    return devices


def _line_of_entry(text: str, number: int) -> int:
    """Of the device's ``[[device]]``, from 1; 1 where they are written in another way."""
    starts = [at for at, line in enumerate(text.splitlines(), 1) if _ENTRY.match(line)]
    return starts[number] if number < len(starts) else 1


def _why(error: Exception) -> str:
    if isinstance(error, UserError):
        return error.message
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _device(entry: Mapping[str, Any]) -> InventoryDevice:
    """Only the local device has no address. Raises UserError, KeyError, TypeError or ValueError."""
    name, labels = entry["name"], entry.get("labels", {})
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name: letters, digits, dots, dashes, at most 64")
    if not isinstance(labels, dict) or not all(isinstance(each, str) for each in labels.values()):
        raise ValueError('labels are texts: labels = { kind = "pi5" }')
    address = "" if name == LOCAL else check_address(entry["address"])
    return InventoryDevice(name, address, labels, power_from(entry))


def _entry(device: InventoryDevice) -> dict[str, Any]:
    address = {} if device.is_local else {"address": device.address}
    labels = {"labels": dict(device.labels)} if device.labels or not device.is_local else {}
    return {"name": device.name, **address, **labels, **power_entry(device.power)}


def _matches(
    selector: Selector, device: InventoryDevice, told: Mapping[str, DeviceInfo | str]
) -> bool:
    answer = told.get(device.name)
    info = None if isinstance(answer, str) else answer
    return (info is not None or not selector.asks) and selector.matches(device, info)
