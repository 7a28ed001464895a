"""Calibrating this device's battery, from finding it to keeping the result."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from trimtab_agent.boards.android import is_android
from trimtab_agent.probes import power_supply, termux
from trimtab_agent.probes.battery_calibration import (
    BatteryReading,
    Calibration,
    CalibrationError,
    calibrate,
    collect,
    save_calibration,
)
from trimtab_agent.probes.commands import CommandError, Runner
from trimtab_agent.probes.sysfs import read_int

DURATION_S = 300.0  # a phone's counter moves every few seconds under load, or every minute idle
PERIOD_S = 5.0


def calibrate_battery(
    root: Path,
    store: Path,
    duration_s: float = DURATION_S,
    sleep: Callable[[float], None] = time.sleep,
    run: Runner = termux.run_termux,
) -> tuple[str, Calibration]:
    """The battery's name and what it tells, kept in ``store`` (``battery-calibration.json``).

    Raises CalibrationError, with nothing kept, and OSError where ``store`` cannot be written.
    """
    name, read = _battery(root, run)
    try:
        found = calibrate(collect(read, duration_s, PERIOD_S, sleep))
    except CommandError as error:
        raise CalibrationError(str(error)) from error
    save_calibration(store, name, found)
    return name, found


def _battery(root: Path, run: Runner) -> tuple[str, Callable[[], BatteryReading]]:
    """Raises CalibrationError."""
    for battery in power_supply.batteries(root):
        if read_int(battery / "current_now") is not None:
            return f"power_supply/{battery.name}", partial(power_supply.read_battery, battery)
    if is_android(root):
        return termux.BATTERY, partial(termux.read_battery, root, run)
    raise CalibrationError("no battery in /sys/class/power_supply tells a current")
