"""Android's own judgement of its heat: ``dumpsys thermalservice``, its line "Thermal Status: 2".

The numbers are those of PowerManager's THERMAL_STATUS constants. The service tells only whom the
system lets (adb's shell, or an app with the permission DUMP): in Termux it refuses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.boards.android import is_android
from trimtab_agent.probes.base import Probe, Sensor, SensorError
from trimtab_agent.probes.commands import CommandError, Runner, run_command
from trimtab_agent.records import SensorInfo

COMMAND = ("dumpsys", "thermalservice")
STATUS_NAMES = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
_STATUS = re.compile(r"^\s*Thermal Status: (\d+)\s*$", re.MULTILINE)
_DENIED = re.compile(r"permission denial|can't dump|inaccessible", re.IGNORECASE)


class AndroidThermalProbe(Probe):
    name = "android_thermal"

    def __init__(self, run: Runner = run_command) -> None:
        self._run = run

    def discover(self, root: Path) -> list[Sensor]:
        """On Android there is always one, unavailable with the reason where it does not tell."""
        if not is_android(root):
            return []
        refusal = _refusal(root, self._run)
        info = SensorInfo("android_thermal/status", "1", _SCOPE, "instantaneous", 0, refusal)
        return [ThermalStatusSensor(info, root, self._run)]


_SCOPE = "whole device, " + ", ".join(f"{n} {name}" for n, name in enumerate(STATUS_NAMES))


@dataclass(frozen=True)
class ThermalStatusSensor(Sensor):
    """Each reading runs a command: some ten milliseconds of a processor."""

    info: SensorInfo
    root: Path
    run: Runner

    def read(self) -> float:
        try:
            return float(thermal_status(self.root, self.run))
        except CommandError as error:
            raise SensorError(f"sensor {self.info.name} does not answer: {error}") from error


def thermal_status(root: Path, run: Runner = run_command) -> int:
    """0 ("none") to 6 ("shutdown"); raises CommandError with the reason."""
    text = run(root, COMMAND)
    if _DENIED.search(text):
        raise CommandError("Android does not let this app ask its thermal service")
    match = _STATUS.search(text)
    if match is None:
        raise CommandError("dumpsys thermalservice tells no thermal status (before Android 10?)")
    status = int(match[1])
    if status >= len(STATUS_NAMES):
        raise CommandError(f"the thermal service tells an unknown status, {status}")
    return status


def thermal_condition(root: Path, run: Runner = run_command) -> str | None:
    """ "moderate", or "unknown: reason"; None where this is not Android."""
    if not is_android(root):
        return None
    try:
        return STATUS_NAMES[thermal_status(root, run)]
    except CommandError as error:
        return f"unknown: {error}"


def _refusal(root: Path, run: Runner) -> str:
    try:
        thermal_status(root, run)
    except CommandError as error:
        return str(error)
    return ""
