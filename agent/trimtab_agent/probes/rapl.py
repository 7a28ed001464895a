"""Energy counters of Intel's and AMD's processors: RAPL zones of /sys/class/powercap.

``energy_uj`` counts microjoules up to ``max_energy_range_uj`` and starts over (the kernel's
power/powercap/powercap.rst, ABI/testing/sysfs-class-powercap). AMD's zones have Intel's names.
"Core" and "uncore" lie in their package, "dram" beside it; "psys" is the whole platform (Intel 64
and IA-32 Architectures Software Developer's Manual, volume 3B, "RAPL domains").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trimtab_agent.probes.base import Probe, Sensor
from trimtab_agent.probes.sysfs import (
    SysfsSensor,
    UnavailableSensor,
    folders,
    is_forbidden,
    read_int,
    read_text,
)
from trimtab_agent.records import SensorInfo, SensorRole

_CLASS = "sys/class/powercap"
# The same counters may be told twice, by registers and by memory: one of the two is enough.
_INTERFACES = ("intel-rapl:*", "intel-rapl-mmio:*")
_FORBIDDEN = (
    "since Linux 5.10 only root may read it: run the agent as root, or let its group read it by a "
    "udev rule (docs/sensors.md has one)"
)


@dataclass(frozen=True)
class _Zone:
    folder: Path
    name: str


class RaplProbe(Probe):
    name = "rapl"
    looks_for = "RAPL in /sys/class/powercap"

    def discover(self, root: Path) -> list[Sensor]:
        zones = _zones(root)
        found = []
        for zone in zones:
            sensor = _sensor(zone, _role(zone, zones))
            if sensor is not None:
                found.append(sensor)
        return found


def has_packages(root: Path) -> bool:
    return any(_is_package(zone) for zone in _zones(root))


def _zones(root: Path) -> list[_Zone]:
    for pattern in _INTERFACES:
        found = [
            _Zone(folder, name)
            for folder in folders(root / _CLASS, pattern)
            if (name := read_text(folder / "name"))
        ]
        if found:
            return found
    return []


def _is_package(zone: _Zone) -> bool:
    return re.fullmatch(r"package-\d+(-die-\d+)?", zone.name) is not None


def _counts(zone: _Zone) -> bool:
    """A platform meter that the maker did not wire stays at 0."""
    return read_int(zone.folder / "energy_uj") != 0


def _role(zone: _Zone, zones: Sequence[_Zone]) -> tuple[SensorRole, str]:
    """How it stands to the rest, and what it covers."""
    platforms = [each for each in zones if each.name == "psys" and _counts(each)]
    if zone.name == "psys":
        # Of several, as on some servers, it is not told which holds what.
        role: SensorRole = "total" if platforms == [zone] else "other"
        return role, "the whole platform, as its maker wired the meter"
    beside: SensorRole = "part" if len(platforms) == 1 else "addend"
    if _is_package(zone):
        return beside, "a processor: cores, caches, graphics, memory controller; not the memory"
    if zone.name == "dram":
        return beside, "the memory modules"
    return "part", "in its package already"


def _sensor(zone: _Zone, known: tuple[SensorRole, str]) -> Sensor | None:
    file = zone.folder / "energy_uj"
    role, covers = known
    info = SensorInfo(
        name=f"rapl/{zone.folder.name}",
        unit="mJ",
        scope=f"{zone.name}: {covers}",
        kind="counter",
        sample_period_ns=0,
        role=role,
        counter_range=max(read_int(zone.folder / "max_energy_range_uj") or 0, 0) * 1e-3,
    )
    if is_forbidden(file):
        return UnavailableSensor(replace(info, unavailable_reason=_FORBIDDEN))
    return None if read_int(file) is None else SysfsSensor(info, file, 1e-3)
