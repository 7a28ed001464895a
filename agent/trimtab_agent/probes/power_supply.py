"""Batteries and mains: /sys/class/power_supply (ABI/testing/sysfs-class-power).

A battery's figure is what the device takes while it discharges, and only then. ACPI batteries tell
microwatt, or microampere and microvolt, as the kernel's driver makes them; of all others unit and
sign are as their maker chose, and count only once they are calibrated (``battery_calibration``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from trimtab_agent.boards.android import is_android
from trimtab_agent.probes.base import Probe, Sensor, SensorError
from trimtab_agent.probes.battery_calibration import (
    NOT_CALIBRATED,
    BatteryReading,
    Calibration,
    load_calibration,
)
from trimtab_agent.probes.sysfs import (
    SysfsSensor,
    UnavailableSensor,
    folders,
    is_forbidden,
    read_int,
    read_text,
)
from trimtab_agent.records import SensorInfo, SensorRole

_CLASS = "sys/class/power_supply"
_SCOPE = "whole device, from the battery"
_NOT_DISCHARGING = {"Charging", "Full", "Not charging"}
# The kernel's ACPI driver makes µA and µV of what the firmware says; the current has no sign.
_ACPI = Calibration("uA", 1, 1.0)
# A running processor takes more than the first, and no portable device's battery gives the second:
# a charger by USB gives 240 W at most. Outside of this the unit is another one.
PLAUSIBLE_MW = (10.0, 300_000.0)


class PowerSupplyProbe(Probe):
    name = "power_supply"
    looks_for = "batteries in /sys/class/power_supply"

    def discover(self, root: Path) -> list[Sensor]:
        found = batteries(root)
        return [sensor for each in found for sensor in _sensors(root, each, len(found) > 1)]


def batteries(root: Path) -> list[Path]:
    """Those that feed the device, without those of a mouse or a headset."""
    return [
        supply
        for supply in folders(root / _CLASS, "*")
        if read_text(supply / "type") == "Battery" and read_text(supply / "scope") != "Device"
    ]


def power_source(root: Path) -> str:
    """ "mains", "battery", "none: reason" (nothing is listed) or "unknown: reason"."""
    supplies = [
        supply
        for supply in folders(root / _CLASS, "*")
        if read_text(supply / "scope") != "Device"  # a mouse's battery, say
    ]
    if not supplies:
        return "none: /sys/class/power_supply lists no battery and no mains adapter"
    if any(read_text(supply / "online") == "1" for supply in supplies):
        return "mains"
    states = {read_text(supply / "status") for supply in supplies}
    if "Discharging" in states:
        return "battery"
    if states & _NOT_DISCHARGING:
        return "mains"
    return "unknown: nothing in /sys/class/power_supply tells"


def read_battery(battery: Path, clock: Callable[[], float] = time.monotonic) -> BatteryReading:
    """All that its calibration needs, as it is told."""
    charge = _first(battery, "charge_counter", "charge_now")
    return BatteryReading(
        time_s=clock(),
        status=read_text(battery / "status") or "in a state that is not told",
        current=read_int(battery / "current_now"),
        charge=charge,
        voltage=read_int(battery / "voltage_now"),
        capacity=read_int(battery / "capacity"),
    )


def _sensors(root: Path, battery: Path, one_of_several: bool) -> list[Sensor]:
    power = _power(root, battery, one_of_several)
    found = [] if power is None else [power]
    if read_int(battery / "capacity") is not None:
        info = SensorInfo(f"power_supply/{battery.name}/capacity", "%", "battery", None, 0)
        found.append(SysfsSensor(info, battery / "capacity", 1.0))
    return found


def _power(root: Path, battery: Path, one_of_several: bool) -> Sensor | None:
    files = _files(battery, with_power=not is_android(root))
    if not files:
        return None
    source = power_source(root)
    role: SensorRole = "addend" if one_of_several else "total"
    info = SensorInfo(
        name=f"power_supply/{battery.name}/{files[0].name}",
        unit="mW",
        scope=f"one battery of several ({battery.name})" if one_of_several else _SCOPE,
        kind="instantaneous",
        sample_period_ns=0,
        # While it does not feed the device, or that is not told, it stands for nothing else.
        role=role if source == "battery" else None,
    )
    calibration = _calibration(root, battery, files)
    reason = _unavailable_reason(files, source, calibration)
    if reason:
        return UnavailableSensor(replace(info, unavailable_reason=reason))
    lowest = 0.0 if one_of_several else PLAUSIBLE_MW[0]
    return BatterySensor(info, battery, files, calibration, lowest)


def _files(battery: Path, with_power: bool) -> tuple[Path, ...]:
    """One of power, or one of current and one of voltage; empty where there is neither.

    ``with_power`` False: its unit differs by vendor too, and nothing calibrates it.
    """
    power, current = battery / "power_now", battery / "current_now"
    if with_power and (read_int(power) is not None or is_forbidden(power)):
        return (power,)
    if read_int(current) is not None or is_forbidden(current):
        return (current, battery / "voltage_now")
    return ()


def _calibration(root: Path, battery: Path, files: tuple[Path, ...]) -> Calibration | None:
    if len(files) == 1:
        return None
    calibrated = load_calibration(root, f"power_supply/{battery.name}")
    is_acpi = (root / "sys/firmware/acpi").is_dir()
    return calibrated or (_ACPI if is_acpi else None)


def _unavailable_reason(
    files: tuple[Path, ...], source: str, calibration: Calibration | None
) -> str:
    if any(is_forbidden(file) for file in files):
        return f"this user may not read {files[0]}"
    if any(read_int(file) is None for file in files):
        return "it tells a current and no voltage"
    if source == "mains":
        return (
            "the device is plugged in, and its battery's figure is then not what it takes: unplug "
            "it to measure"
        )
    return NOT_CALIBRATED if len(files) > 1 and calibration is None else ""


@dataclass(frozen=True)
class BatterySensor(Sensor):
    """``files``: power alone, or current and voltage; these with a ``calibration``."""

    info: SensorInfo
    battery: Path
    files: tuple[Path, ...]
    calibration: Calibration | None
    lowest_mw: float

    def read(self) -> float:
        values = [read_int(file) for file in self.files]
        told = [value for value in values if value is not None]
        if len(told) != len(self.files):
            raise SensorError(f"sensor {self.info.name} does not answer")
        status = read_text(self.battery / "status")
        if status in _NOT_DISCHARGING and self.info.role != "addend":
            raise SensorError(f"sensor {self.info.name}: the battery is {status.lower()} now")
        return plausible(self.info.name, self._milliwatts(told), self.lowest_mw)

    def _milliwatts(self, told: list[int]) -> float:
        if self.calibration is None:
            return told[0] * 1e-3
        current = abs(told[0]) if self.calibration is _ACPI else told[0]
        return self.calibration.power_mw(current, told[1])


def plausible(name: str, milliwatts: float, lowest_mw: float = PLAUSIBLE_MW[0]) -> float:
    """The value; raises SensorError for one that no battery that feeds a device can give."""
    if lowest_mw <= milliwatts <= PLAUSIBLE_MW[1]:
        return milliwatts
    raise SensorError(f"sensor {name} tells {milliwatts:.6g} mW, which no battery gives")


def _first(battery: Path, *files: str) -> int | None:
    told = (read_int(battery / file) for file in files)
    return next((value for value in told if value is not None), None)
