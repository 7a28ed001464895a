"""Hardware monitors: temperature, power and energy of /sys/class/hwmon.

Units are the kernel's (Documentation/hwmon/sysfs-interface): millidegrees, millivolt, milliampere,
microwatt, microjoule, and milliseconds of intervals.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from trimtab_agent.probes.base import Probe, Sensor
from trimtab_agent.probes.board_rails import NOT_CONNECTED, board_rail
from trimtab_agent.probes.hwmon_channels import Channel, power_channels
from trimtab_agent.probes.hwmon_roles import chip_rail
from trimtab_agent.probes.own_roles import OwnRoles, read_own_roles
from trimtab_agent.probes.rapl import has_packages
from trimtab_agent.probes.sysfs import (
    ProductSensor,
    SysfsSensor,
    UnavailableSensor,
    folders,
    is_forbidden,
    read_int,
    read_text,
)
from trimtab_agent.records import SensorInfo

_COUNTED = ("total", "addend")


class HwmonProbe(Probe):
    name = "hwmon"
    looks_for = "power, energy and voltage with current in /sys/class/hwmon"

    def discover(self, root: Path) -> list[Sensor]:
        own = read_own_roles(root)
        # The kernel lists every battery here too; the probe of power supplies tells of those.
        supplies = {
            supply.name.replace("-", "_")
            for supply in folders(root / "sys/class/power_supply", "*")
        }
        found: list[Sensor] = []
        for chip in folders(root / "sys/class/hwmon", "hwmon*"):
            chip_name = read_text(chip / "name") or chip.name
            found += _temperatures(chip, chip_name)
            if chip_name not in supplies:
                found += _powers(root, chip, chip_name, own)
        return found


def _temperatures(chip: Path, chip_name: str) -> list[Sensor]:
    period_ns = _period_ns(chip / "update_interval")
    found: list[Sensor] = []
    for file in folders(chip, "temp*_input"):
        if read_int(file) is None:
            continue
        channel = file.name.rpartition("_")[0]
        label = read_text(chip / f"{channel}_label") or channel
        name, scope = f"hwmon/{chip.name}/{file.name}", f"{chip_name} {label}"
        info = SensorInfo(name, "Cel", scope, "instantaneous", period_ns)
        found.append(SysfsSensor(info, file, 1e-3))
    return found


def _powers(root: Path, chip: Path, chip_name: str, own: OwnRoles) -> list[Sensor]:
    """What is told twice, as power and by a counter, say, has its role once: the better one."""
    found: list[Sensor] = []
    counted: set[str] = set()
    for channel in power_channels(chip, chip_name):
        if channel.label == NOT_CONNECTED:
            continue
        info = _info(root, chip, chip_name, channel, own)
        if info.role in _COUNTED and channel.rail in counted:
            info = replace(info, role="other")
        elif info.role in _COUNTED:
            counted.add(channel.rail)
        sensor = _sensor(info, channel)
        if sensor is not None:
            found.append(sensor)
    return found


def _info(root: Path, chip: Path, chip_name: str, channel: Channel, own: OwnRoles) -> SensorInfo:
    known = board_rail(root, channel.label)
    if known.role is None:
        known = chip_rail(chip, chip_name, channel.label)
    role = "other" if chip_name == "amd_energy" and has_packages(root) else known.role
    info = SensorInfo(
        name=f"hwmon/{chip.name}/{channel.name}",
        unit="mJ" if channel.kind == "counter" else "mW",
        scope=f"{chip_name} {channel.label}",
        kind=channel.kind,
        sample_period_ns=_period_ns(channel.interval),
        role=role,
    )
    return own.applied(info, known.covers)


def _sensor(info: SensorInfo, channel: Channel) -> Sensor | None:
    """None where the driver does not answer now, as for a channel that is switched off."""
    if any(is_forbidden(file) for file in channel.files):
        reason = f"this user may not read {channel.files[0]}: run the agent in its group or as root"
        return UnavailableSensor(replace(info, unavailable_reason=reason))
    if any(read_int(file) is None for file in channel.files):
        return None
    if info.unavailable_reason:
        return UnavailableSensor(info)
    if len(channel.files) == 1:
        return SysfsSensor(info, channel.files[0], 1e-3)  # µW to mW, µJ to mJ
    current, voltage = channel.files
    return ProductSensor(info, current, voltage, 1e-3)  # mA times mV, to mW


def _period_ns(file: Path) -> int:
    return max(read_int(file) or 0, 0) * 1_000_000
