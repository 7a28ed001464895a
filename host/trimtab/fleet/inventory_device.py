"""One device as the user knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trimtab.records import DevicePower, UserError

LOCAL = "local"


@dataclass(frozen=True)
class InventoryDevice:
    """``address`` is empty for the local device, whose agent trimtab starts itself.

    ``is_removed``: an unfinished run knows it, and the inventory no more.
    """

    name: str
    address: str
    labels: Mapping[str, str] = field(default_factory=dict)
    power: DevicePower = field(default_factory=DevicePower)
    is_removed: bool = False

    @property
    def is_local(self) -> bool:
        return not self.address and not self.is_removed


LOCAL_DEVICE = InventoryDevice(LOCAL, "")


def parse_label(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key or not value:
        raise UserError(f"not a label: {text}", "write KEY=VALUE, for example kind=pi5")
    return key, value
