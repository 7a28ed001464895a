"""Fans: their speed and duty of /sys/class/hwmon, their step among the kernel's cooling devices.

Documentation/hwmon/sysfs-interface: fan*_input in revolutions a minute, pwm* from 0 to 255;
Jetson's own driver "pwm_tach": rpm;
ABI/testing/sysfs-class-thermal: cur_state from 0 (no cooling) to max_state.
"""

from __future__ import annotations

import re
from pathlib import Path

from trimtab_agent.probes.base import Probe, Sensor
from trimtab_agent.probes.sysfs import SysfsSensor, folders, read_int, read_text
from trimtab_agent.records import SensorInfo

_PWM = re.compile(r"pwm\d+")
_FULL_PWM = 255


class FanProbe(Probe):
    name = "fan"

    def discover(self, root: Path) -> list[Sensor]:
        return fan_sensors(root)


def fan_sensors(root: Path) -> list[Sensor]:
    """Speeds in "/min", duty in "%", steps without a unit ("1")."""
    found: list[Sensor] = []
    for chip in folders(root / "sys/class/hwmon", "hwmon*"):
        speeds = (*folders(chip, "fan*_input"), chip / "rpm")
        found += [_speed(chip, file) for file in speeds if _told(file)]
        duties = (file for file in folders(chip, "pwm*") if _PWM.fullmatch(file.name))
        found += [_duty(chip, file) for file in duties if _told(file)]
    for device in folders(root / "sys/class/thermal", "cooling_device*"):
        kind = read_text(device / "type") or ""
        if "fan" in kind.lower() and _told(device / "cur_state"):
            found.append(_step(device, kind))
    return found


def _speed(chip: Path, file: Path) -> Sensor:
    channel = file.name.removesuffix("_input")
    label = read_text(chip / f"{channel}_label") or channel
    scope = f"{_chip_name(chip)} {label}"
    info = SensorInfo(f"fan/{chip.name}/{file.name}", "/min", scope, "instantaneous", 0)
    return SysfsSensor(info, file, 1.0)


def _duty(chip: Path, file: Path) -> Sensor:
    scope = f"{_chip_name(chip)} {file.name}, duty"
    info = SensorInfo(f"fan/{chip.name}/{file.name}", "%", scope, "instantaneous", 0)
    return SysfsSensor(info, file, 100 / _FULL_PWM)


def _step(device: Path, kind: str) -> Sensor:
    steps = read_int(device / "max_state")
    scope = f"{kind}, step" + ("" if steps is None else f" of 0 to {steps}")
    info = SensorInfo(f"fan/{device.name}/cur_state", "1", scope, "instantaneous", 0)
    return SysfsSensor(info, device / "cur_state", 1.0)


def _chip_name(chip: Path) -> str:
    return read_text(chip / "name") or chip.name


def _told(file: Path) -> bool:
    """A driver whose fan is off or missing may refuse to answer."""
    return read_int(file) is not None
