"""Batteries and mains: /sys/class/power_supply (ABI/testing/sysfs-class-power), in microwatt."""

from __future__ import annotations

from pathlib import Path

from trimtab_agent.probes.base import Probe, Sensor
from trimtab_agent.probes.sysfs import SysfsSensor, folders, read_int, read_text
from trimtab_agent.records import SensorInfo

_NOT_CALIBRATED = (
    "it tells only current and voltage, whose unit and sign differ by vendor: not calibrated here"
)


class PowerSupplyProbe(Probe):
    name = "power_supply"
    looks_for = "batteries in /sys/class/power_supply"

    def discover(self, root: Path) -> list[Sensor]:
        return [
            sensor
            for supply in folders(root / "sys/class/power_supply", "*")
            if read_text(supply / "type") == "Battery"
            for sensor in _sensors(supply)
        ]


def power_source(root: Path) -> str:
    """ "mains", "battery", "none: reason" (nothing is listed) or "unknown: reason"."""
    supplies = [
        supply
        for supply in folders(root / "sys/class/power_supply", "*")
        if read_text(supply / "scope") != "Device"  # a mouse's battery, say
    ]
    if not supplies:
        return "none: /sys/class/power_supply lists no battery and no mains adapter"
    if any(read_text(supply / "online") == "1" for supply in supplies):
        return "mains"
    states = {read_text(supply / "status") for supply in supplies}
    if "Discharging" in states:
        return "battery"
    if states & {"Charging", "Full", "Not charging"}:
        return "mains"
    return "unknown: nothing in /sys/class/power_supply tells"


def _sensors(battery: Path) -> list[Sensor]:
    found: list[Sensor] = []
    if read_int(battery / "power_now") is not None:
        found.append(_power(battery, "power_now", ""))
    elif read_int(battery / "current_now") is not None:
        found.append(_power(battery, "current_now", _NOT_CALIBRATED))
    if read_int(battery / "capacity") is not None:
        info = SensorInfo(f"power_supply/{battery.name}/capacity", "%", "battery", None, 0)
        found.append(SysfsSensor(info, battery / "capacity", 1.0))
    return found


def _power(battery: Path, file: str, unavailable_reason: str) -> Sensor:
    name = f"power_supply/{battery.name}/{file}"
    info = SensorInfo(name, "mW", "whole device, from the battery", None, 0, unavailable_reason)
    return SysfsSensor(info, battery / file, 1e-3)
