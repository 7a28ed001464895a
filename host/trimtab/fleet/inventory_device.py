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


def split_label(text: str) -> tuple[str, str]:
    """Raises UserError for what is not KEY=VALUE."""
    key, separator, value = text.partition("=")
    if not separator or not key or not value:
        raise UserError(f"not a label: {text}", "write KEY=VALUE, for example kind=pi5")
    return key, value


def parse_label(text: str) -> tuple[str, str]:
    """A label to be given to a device. Raises UserError also for one that no selector could
    name."""
    key, value = split_label(text)
    if key[-1] in "!<>" or not all(each.isprintable() and each not in " ()" for each in text):
        raise UserError(
            f"not a label that a selector can name: {text}",
            "write it without blanks and parentheses, its key without !, <, > at the end, "
            "for example room=big-lab",
        )
    return key, value
