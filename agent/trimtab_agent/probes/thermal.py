"""Thermal zones: /sys/class/thermal/thermal_zone*/temp, in millidegrees Celsius."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.probes.base import Probe, Sensor, SensorError
from trimtab_agent.probes.sysfs import folders, read_int, read_text
from trimtab_agent.records import SensorInfo

_SLOWING = ("passive", "hot", "critical")
# NVIDIA: it says 100 °C on every Jetson up to Xavier, whatever the temperature is.
_CONSTANT = frozenset({"PMIC-Die"})
_LOWEST, _HIGHEST = -100_000, 250_000  # beyond them a driver shows that it has no reading


class ThermalProbe(Probe):
    name = "thermal"

    def discover(self, root: Path) -> list[Sensor]:
        return [
            _sensor(zone)
            for zone in folders(root / "sys/class/thermal", "thermal_zone*")
            if read_text(zone / "type") not in _CONSTANT and _millidegrees(zone) is not None
        ]


@dataclass(frozen=True)
class Temperature:
    """``scope``: the zone's own name for what it covers."""

    celsius: float
    scope: str

    def __str__(self) -> str:
        return f"{self.celsius:.1f} °C ({self.scope})"


@dataclass(frozen=True)
class Headroom:
    """``trip``: what the kernel does at ``trip_c`` ("passive": it slows the device down)."""

    temperature: Temperature
    trip: str
    trip_c: float

    @property
    def degrees(self) -> float:
        return self.trip_c - self.temperature.celsius


def least_headroom(root: Path) -> Headroom | None:
    """Of the zone that is nearest to slowing down; None where no zone has such a trip point."""
    found = []
    for zone in folders(root / "sys/class/thermal", "thermal_zone*"):
        celsius, trip = _millidegrees(zone), _lowest_trip(zone)
        if celsius is not None and trip is not None:
            temperature = Temperature(celsius / 1000, read_text(zone / "type") or zone.name)
            found.append(Headroom(temperature, *trip))
    return min(found, key=lambda headroom: headroom.degrees, default=None)


def _lowest_trip(zone: Path) -> tuple[str, float] | None:
    """What only starts a fan is none; 0 °C and less stand for a trip point that is switched off."""
    trips = [
        (kind, celsius / 1000)
        for file in folders(zone, "trip_point_*_temp")
        if (kind := read_text(zone / file.name.replace("_temp", "_type"))) in _SLOWING
        and (celsius := read_int(file) or 0) > 0
    ]
    return min(trips, key=lambda trip: trip[1], default=None)


def hottest_zone(root: Path) -> Temperature | None:
    """None where no thermal zone answers."""
    found = []
    for sensor in ThermalProbe().discover(root):
        try:
            found.append(Temperature(sensor.read(), sensor.info.scope))
        except SensorError:  # a zone that sleeps answers nothing
            continue
    return max(found, key=lambda temperature: temperature.celsius, default=None)


@dataclass(frozen=True)
class ZoneSensor(Sensor):
    info: SensorInfo
    zone: Path

    def read(self) -> float:
        millidegrees = _millidegrees(self.zone)
        if millidegrees is None:
            raise SensorError(f"sensor {self.info.name} does not answer")
        return millidegrees * 1e-3


def _sensor(zone: Path) -> Sensor:
    scope = read_text(zone / "type") or zone.name
    info = SensorInfo(f"thermal/{zone.name}", "Cel", scope, "instantaneous", 0)
    return ZoneSensor(info, zone)


def _millidegrees(zone: Path) -> int | None:
    """None also for what no board survives: drivers of phones show -273 °C, or the largest number,
    for a sensor that is off."""
    value = read_int(zone / "temp")
    return value if value is not None and _LOWEST < value < _HIGHEST else None
