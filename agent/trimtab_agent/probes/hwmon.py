"""Hardware monitors: temperature, power and energy of /sys/class/hwmon.

Units are the kernel's (Documentation/hwmon/sysfs-interface): millidegrees, microwatt, microjoule,
and milliseconds of ``update_interval``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trimtab_agent.probes.base import Probe, Sensor
from trimtab_agent.probes.sysfs import SysfsSensor, folders, read_int, read_text
from trimtab_agent.records import SensorInfo


@dataclass(frozen=True)
class _Family:
    pattern: str
    unit: str
    scale: float
    kind: Literal["instantaneous", "averaged", "counter"]


_FAMILIES = (
    _Family("temp*_input", "Cel", 1e-3, "instantaneous"),
    _Family("power*_input", "mW", 1e-3, "instantaneous"),
    _Family("power*_average", "mW", 1e-3, "averaged"),
    _Family("energy*_input", "mJ", 1e-3, "counter"),
)


class HwmonProbe(Probe):
    name = "hwmon"
    looks_for = "power and energy files in /sys/class/hwmon"

    def discover(self, root: Path) -> list[Sensor]:
        return [
            _sensor(chip, file, family)
            for chip in folders(root / "sys/class/hwmon", "hwmon*")
            for family in _FAMILIES
            for file in folders(chip, family.pattern)
            if read_int(file) is not None
        ]


def _sensor(chip: Path, file: Path, family: _Family) -> Sensor:
    channel = file.name.rpartition("_")[0]
    chip_name = read_text(chip / "name") or chip.name
    label = read_text(chip / f"{channel}_label")
    period_ms = read_int(chip / "update_interval") or 0
    info = SensorInfo(
        name=f"hwmon/{chip.name}/{file.name}",
        unit=family.unit,
        scope=f"{chip_name} {label or channel}",
        kind=family.kind,
        sample_period_ns=period_ms * 1_000_000,
    )
    return SysfsSensor(info, file, family.scale)
