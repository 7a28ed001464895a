"""The devices a user knows by name, kept in ``devices.toml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from trimtab.fleet.address import check_address
from trimtab.fleet.device_power import checked_power
from trimtab.fleet.inventory_device import LOCAL, LOCAL_DEVICE, InventoryDevice, parse_label
from trimtab.fleet.inventory_file import changed_inventory, may_be_added, read_inventory
from trimtab.fleet.inventory_selection import Ask, Meant, Selection, choose
from trimtab.fleet.selectors import RESERVED, Selector, is_plain, parse_selector
from trimtab.home import home
from trimtab.records import DevicePower, UserError

__all__ = ["LOCAL", "LOCAL_DEVICE", "Inventory", "InventoryDevice", "home_inventory", "parse_label"]


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
        if not may_be_added(name):
            raise UserError(
                f"not a name for a device: {name!r}",
                "letters, digits, dots, dashes, at most 64; `local` is this machine, and "
                f"{', '.join(RESERVED)} are words of selectors",
            )
        device = InventoryDevice(name, check_address(address), dict(labels))
        with self._changing() as devices:
            if name in devices:
                message = f"there is a device {name} already"
                raise UserError(message, f"trimtab devices remove {name}")
            devices[name] = device
        return device

    def set_power(self, name: str, power: DevicePower) -> InventoryDevice:
        """Also for the local device. Raises UserError for an unknown name or a wrong figure."""
        power = checked_power(power)
        with self._changing() as devices:
            before = devices.get(name, LOCAL_DEVICE)
            if before.name != name:
                raise UserError(f"there is no device {name}", self._known())
            devices[name] = replace(before, power=power)
            return devices[name]

    def set_labels(self, name: str, changes: Sequence[str]) -> InventoryDevice:
        """``KEY=VALUE`` sets, ``KEY-`` removes. Raises UserError for an unknown name, and for what
        is neither."""
        with self._changing() as devices:
            if name == LOCAL:
                message = f"{LOCAL} is this machine and takes no labels"
                raise UserError(message, f"select it by its name, {LOCAL}")
            if name not in devices:
                raise UserError(f"there is no device {name} to label", self._known())
            labels = dict(devices[name].labels)
            for change in changes:
                if change.endswith("-") and "=" not in change:
                    labels.pop(change[:-1], None)
                else:
                    key, value = parse_label(change)
                    labels[key] = value
            devices[name] = replace(devices[name], labels=labels)
            return devices[name]

    def remove(self, name: str) -> None:
        with self._changing() as devices:
            if name == LOCAL:
                message = f"{LOCAL} is this machine and cannot be removed"
                raise UserError(message, f"select the others, for example all and not {LOCAL}")
            if name not in devices:
                raise UserError(f"there is no device {name}", self._known())
            del devices[name]

    def select(
        self, selectors: Sequence[str], ask: Ask | None = None
    ) -> tuple[InventoryDevice, ...]:
        """As :meth:`find`, without those that do not answer."""
        return self.find(selectors, ask).devices

    def find(
        self,
        selectors: Sequence[str],
        ask: Ask | None = None,
        *,
        silent_will_do: bool = False,
        local_if_named: bool = False,
    ) -> Selection:
        """``()`` means local. ``ask``: for selectors that speak of what a device has; None: such a
        selector is refused. ``local_if_named``: no pattern and no ``all`` means the local device.

        Raises UserError for what is no selector, for one with a name that no device has, and for
        one that matches nothing, unless ``silent_will_do`` and it may mean a device that does not
        answer.
        """
        parsed = [parse_selector(text) for text in selectors or (LOCAL,)]
        known = self.devices()
        for selector in parsed:
            self._refuse_unknown_names(selector, known)
        if local_if_named and not any(LOCAL in each.names for each in parsed):
            known = tuple(device for device in known if not device.is_local)
        selection = choose(parsed, known, ask)
        for each in selection.meant:
            if not each.devices and not (silent_will_do and each.silent):
                raise self._matches_nothing(each)
        return selection

    def _refuse_unknown_names(self, selector: Selector, known: Sequence[InventoryDevice]) -> None:
        """``not pi6`` with pi5 meant would otherwise measure on all, pi5 among them."""
        names = {device.name for device in known}
        unknown = sorted(each for each in selector.names if is_plain(each) and each not in names)
        if unknown and selector.text not in unknown:
            message = f"{selector.text}: there is no device {', '.join(unknown)}"
            raise UserError(message, self._known())

    def _matches_nothing(self, meant: Meant) -> UserError:
        silent = [f"{name} does not answer ({why})" for name, why in meant.silent.items()]
        message = "; ".join([f"no device matches {meant.text}", *silent])
        return UserError(message, self._known())

    def _known(self) -> str:
        names = ", ".join(device.name for device in self.devices())
        return f"known devices: {names}; add one with `trimtab devices add NAME ADDRESS`"

    @contextmanager
    def _changing(self) -> Iterator[dict[str, InventoryDevice]]:
        """What the file holds now, which another process may have changed; written afterwards."""
        with changed_inventory(self._path) as devices:
            self._devices = devices
            yield devices
