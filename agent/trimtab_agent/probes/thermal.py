"""Thermal zones: /sys/class/thermal/thermal_zone*/temp, in millidegrees Celsius."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.probes.base import Probe, Sensor, SensorError
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


@dataclass(frozen=True)
class Temperature:
    """``scope``: the zone's own name for what it covers."""

    celsius: float
    scope: str

    def __str__(self) -> str:
        return f"{self.celsius:.1f} °C ({self.scope})"


def hottest_zone(root: Path) -> Temperature | None:
    """None where no thermal zone answers."""
    found = []
    for sensor in ThermalProbe().discover(root):
        try:
            found.append(Temperature(sensor.read(), sensor.info.scope))
        except SensorError:  # a zone that sleeps answers nothing
            continue
    return max(found, key=lambda temperature: temperature.celsius, default=None)


def _sensor(zone: Path) -> Sensor:
    scope = read_text(zone / "type") or zone.name
    info = SensorInfo(f"thermal/{zone.name}", "Cel", scope, "instantaneous", 0)
    return SysfsSensor(info, zone / "temp", 1e-3)
