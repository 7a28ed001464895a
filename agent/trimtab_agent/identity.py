"""A device's stable identity: a hash, so that the machine id itself is never told."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.boards.android import android_properties, is_android
from trimtab_agent.probes.sysfs import read_text

_ID_LENGTH = 32
# What is there instead of a number: from Android itself, and from makers who left it as it was.
_NO_SERIALS = frozenset({"", "unknown", "0", "0123456789ABCDEF"})
_SOURCES = (
    ("etc/machine-id", ""),
    ("var/lib/dbus/machine-id", ""),
    ("proc/device-tree/serial-number", "the board's serial number"),
)


@dataclass(frozen=True)
class Identity:
    """``fallback`` empty: from the machine id; else from what, and what that means."""

    device_id: str
    fallback: str


def identify(root: Path) -> Identity:
    """From the machine id, else the board's serial number, else the host name."""
    for path, fallback in _SOURCES:
        value = read_text(root / path)
        # systemd writes this word before the first boot has made an id.
        if value and value != "uninitialized":
            return Identity(_hash(value), fallback)
    return _of_android(root) or Identity(
        _hash(f"{platform.node()}/{platform.machine()}"),
        "the host name, as there is no machine id: it changes when the device is renamed",
    )


def _of_android(root: Path) -> Identity | None:
    """Every phone's host name is "localhost"; its serial number is kept from most apps."""
    properties = android_properties(root) if is_android(root) else {}
    for name in ("ro.serialno", "ro.boot.serialno"):
        serial = properties.get(name, "")
        if serial not in _NO_SERIALS:
            return Identity(_hash(serial), "the phone's serial number")
    build = properties.get("ro.build.fingerprint")
    if not build:
        return None
    return Identity(
        _hash(f"{platform.node()}/{build}"),
        "the host name and Android's build, as nothing else is told: it changes with an update, "
        "and phones of one model with one build look the same",
    )


def _hash(value: str) -> str:
    return hashlib.sha256(f"trimtab device {value}".encode()).hexdigest()[:_ID_LENGTH]
