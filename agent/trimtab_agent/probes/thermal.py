"""Thermal zones: /sys/class/thermal/thermal_zone*/temp, in millidegrees Celsius."""

from __future__ import annotations

from pathlib import Path

from trimtab_agent.probes.base import Probe, Sensor
from trimtab_agent.probes.sysfs import SysfsSensor, folders, read_int, read_text
from trimtab_agent.records import SensorInfo


class ThermalProbe(Probe):
    name = "thermal"

    def discover(self, root: Path) -> list[Sensor]:
        return [
            _sensor(zone)
            for zone in folders(root / "sys/class/thermal", "thermal_zone*")
            if read_int(zone / "temp") is not None
        ]


def _sensor(zone: Path) -> Sensor:
    scope = read_text(zone / "type") or zone.name
    info = SensorInfo(f"thermal/{zone.name}", "Cel", scope, "instantaneous", 0)
    return SysfsSensor(info, zone / "temp", 1e-3)
