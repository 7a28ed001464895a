"""The battery of an Android phone, by Termux's ``termux-battery-status``.

For phones whose kernel hides /sys/class/power_supply from apps, as most do. It prints JSON with
"current" in what should be microampere, "voltage" in millivolt and "charge_counter" in microampere
hours, each as the maker's driver has it; Termux itself multiplies a current below 1000 by 1000
(termux-api, BatteryStatusAPI), so that one of milliampere is right up to 1 A and a thousandth from
there on. Implausibly small power is therefore refused, and nothing counts without a calibration.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from trimtab_agent.boards.android import is_android
from trimtab_agent.probes.base import Probe, Sensor, SensorError
from trimtab_agent.probes.battery_calibration import (
    NOT_CALIBRATED,
    BatteryReading,
    Calibration,
    load_calibration,
)
from trimtab_agent.probes.commands import CommandError, Runner, run_command
from trimtab_agent.probes.power_supply import batteries, plausible
from trimtab_agent.probes.sysfs import UnavailableSensor, read_int
from trimtab_agent.records import SensorInfo

_COMMAND = ("termux-battery-status",)
BATTERY = "termux/battery"
_TIMEOUT_S = 10.0  # it starts an Android app, which may be asleep
run_termux = partial(run_command, timeout_s=_TIMEOUT_S)
_PLUGGED = (
    "the device is plugged in ({how}), and its battery's figure is then not what it takes: unplug "
    "it to measure"
)


class TermuxProbe(Probe):
    name = "termux"
    looks_for = "termux-battery-status"

    def __init__(self, run: Runner = run_termux) -> None:
        self._run = run

    def discover(self, root: Path) -> list[Sensor]:
        if not is_android(root) or _told_by_kernel(root):
            return []
        try:
            status = battery_status(root, self._run)
        except CommandError as error:
            advice = "install the app Termux:API and its package termux-api"
            return [UnavailableSensor(_info(f"{error} ({advice})"))]
        calibration = load_calibration(root, BATTERY)
        reason = _unavailable_reason(status, calibration)
        if reason or calibration is None:
            return [UnavailableSensor(_info(reason))]
        return [TermuxSensor(_info(), root, self._run, calibration)]


@dataclass(frozen=True)
class TermuxSensor(Sensor):
    info: SensorInfo
    root: Path
    run: Runner
    calibration: Calibration

    def read(self) -> float:
        try:
            status = battery_status(self.root, self.run)
        except CommandError as error:
            raise SensorError(f"sensor {self.info.name}: {error}") from error
        reason = _unavailable_reason(status, self.calibration)
        reading = as_reading(status, 0.0)
        if reason or reading.current is None or reading.voltage is None:
            raise SensorError(f"sensor {self.info.name}: {reason}")
        power_mw = self.calibration.power_mw(reading.current, reading.voltage)
        return plausible(self.info.name, power_mw)


def battery_status(root: Path, run: Runner = run_termux) -> dict[str, object]:
    """Raises CommandError, also for what is no JSON object."""
    text = run(root, _COMMAND)
    try:
        status = json.loads(text)
    except ValueError:
        raise CommandError(f"{_COMMAND[0]} printed no JSON") from None
    if not isinstance(status, dict):
        raise CommandError(f"{_COMMAND[0]} printed no JSON object")
    return status


def read_battery(
    root: Path, run: Runner = run_termux, clock: Callable[[], float] = time.monotonic
) -> BatteryReading:
    """All that its calibration needs, as it is told; raises CommandError."""
    status = battery_status(root, run)
    return as_reading(status, clock())


def as_reading(status: dict[str, object], time_s: float) -> BatteryReading:
    return BatteryReading(
        time_s=time_s,
        status=str(status.get("status", "in a state that is not told")),
        current=_number(status.get("current")),
        charge=_number(status.get("charge_counter")),
        voltage=_number(status.get("voltage")),
        capacity=_number(status.get("percentage")),
    )


def _told_by_kernel(root: Path) -> bool:
    """The same battery, by files: one of the two is enough, and files cost less."""
    return any(read_int(battery / "current_now") is not None for battery in batteries(root))


def _unavailable_reason(status: dict[str, object], calibration: Calibration | None) -> str:
    plugged = str(status.get("plugged", ""))
    if plugged != "UNPLUGGED":
        return _PLUGGED.format(how=plugged or "it is not told how")
    reading = as_reading(status, 0.0)
    if reading.current is None or reading.voltage is None:
        return "termux-battery-status tells no current or no voltage here"
    return "" if calibration is not None else NOT_CALIBRATED


def _number(value: object) -> float | None:
    """Termux's versions differ in what they put into quotes."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _info(unavailable_reason: str = "") -> SensorInfo:
    info = SensorInfo(BATTERY, "mW", "whole device, from the battery", "instantaneous", 0)
    return replace(info, role="total", unavailable_reason=unavailable_reason)
