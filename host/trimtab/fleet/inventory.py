"""The devices a user knows by name, kept in ``devices.toml``."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tomli_w
import tomllib

from trimtab.fleet.address import check_address
from trimtab.fleet.device_power import checked_power, power_entry, power_from
from trimtab.records import DevicePower, UserError

LOCAL = "local"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class InventoryDevice:
    """``address`` is empty for the local device, whose agent trimtab starts itself."""

    name: str
    address: str
    labels: Mapping[str, str] = field(default_factory=dict)
    power: DevicePower = field(default_factory=DevicePower)

    @property
    def is_local(self) -> bool:
        return not self.address


LOCAL_DEVICE = InventoryDevice(LOCAL, "")


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

    def remove(self, name: str) -> None:
        if name not in self._devices or name == LOCAL:
            raise UserError(f"there is no device {name}", self._known())
        del self._devices[name]
        self._write()

    def select(self, selectors: Sequence[str]) -> tuple[InventoryDevice, ...]:
        """Devices by name, ``label:key=value`` or ``all``; none twice; ``()`` means local.

        Raises UserError for a selector that matches nothing.
        """
        chosen: dict[str, InventoryDevice] = {}
        for selector in selectors or (LOCAL,):
            matches = [device for device in self.devices() if _matches(device, selector)]
            if not matches:
                raise UserError(f"no device matches {selector}", self._known())
            chosen.update({device.name: device for device in matches})
        return tuple(chosen.values())

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


def parse_label(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key or not value:
        raise UserError(f"not a label: {text}", "write KEY=VALUE, for example kind=pi5")
    return key, value


def _matches(device: InventoryDevice, selector: str) -> bool:
    if selector == "all":
        return True
    if selector.startswith("label:"):
        key, value = parse_label(selector.removeprefix("label:"))
        return device.labels.get(key) == value
    return device.name == selector


def _read(path: Path) -> dict[str, InventoryDevice]:
    if not path.exists():
        return {}
    try:
        entries = tomllib.loads(path.read_text()).get("device", [])
        devices = [_device(entry) for entry in entries]
    except (
        OSError,
        UnicodeDecodeError,
        tomllib.TOMLDecodeError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        raise UserError(f"{path} cannot be read: {error}", "mend or delete the file") from error
    return {device.name: device for device in devices}


def _device(entry: Mapping[str, Any]) -> InventoryDevice:
    """Only the local device has no address."""
    name = entry["name"]
    address = "" if name == LOCAL else check_address(entry["address"])
    return InventoryDevice(name, address, entry.get("labels", {}), power_from(entry))


def _entry(device: InventoryDevice) -> dict[str, Any]:
    address = {} if device.is_local else {"address": device.address}
    labels = {"labels": dict(device.labels)} if device.labels or not device.is_local else {}
    return {"name": device.name, **address, **labels, **power_entry(device.power)}
