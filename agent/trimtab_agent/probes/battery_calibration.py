"""Which unit and which sign a battery's current has: decided by its charge counter, never guessed.

The kernel says microampere, negative while discharging (ABI/testing/sysfs-class-power), and so does
Android (BatteryManager.BATTERY_PROPERTY_CURRENT_NOW); makers' drivers give milliampere and either
sign. While the battery discharges, what the current adds up to must be what the charge counter
lost: that holds for one unit and one sign only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from trimtab_agent.probes.own_roles import settings_file

FILE_NAME = "battery-calibration.json"
COMMAND = "trimtab-agent calibrate-battery"
NOT_CALIBRATED = (
    "its current's unit and sign differ by vendor and are not calibrated here: "
    f"run '{COMMAND}' while the device runs on its battery"
)
_MIN_COUNTER_STEPS = 3  # the counter moves in steps: fewer, and the first and last are most of it
_AGREEMENT = 2.0  # the candidates are a factor 1000 apart; gauges and counters differ by far less
# Of a full charge: from a watch's battery to what may be taken on board an aircraft, in Ah. In mAh
# and µAh these do not overlap, and neither do a battery's volts in V, mV and µV.
_FULL_CHARGE_AH = (0.1, 90.0)
_VOLTS = (2.0, 100.0)
_SCALES_OF_UNITS = {"uA": 1.0, "mA": 1000.0}


class CalibrationError(Exception):
    """The readings decide nothing; the message is one line that says why and what to do."""


@dataclass(frozen=True)
class BatteryReading:
    """As the device tells it, in whatever units; None where it does not tell. ``time_s``: of the
    monotonic clock. ``capacity``: percent."""

    time_s: float
    status: str
    current: float | None
    charge: float | None
    voltage: float | None
    capacity: float | None


@dataclass(frozen=True)
class Calibration:
    """``discharge_sign``: the sign that the current has while the battery discharges.

    ``microvolts``: what one of the voltage's units is.
    """

    current_unit: str
    discharge_sign: int
    microvolts: float

    def power_mw(self, current: float, voltage: float) -> float:
        """Of a discharging battery; negative where the current says that it is being charged."""
        microamperes = current * _SCALES_OF_UNITS[self.current_unit] * self.discharge_sign
        return microamperes * voltage * self.microvolts * 1e-9


def calibrate(readings: Sequence[BatteryReading]) -> Calibration:
    """Raises CalibrationError."""
    if len(readings) < 2:
        raise CalibrationError("there are fewer than two readings: read for longer")
    states = {reading.status.lower() for reading in readings}
    if states != {"discharging"}:
        seen = ", ".join(sorted(states))
        raise CalibrationError(f"the battery was {seen} meanwhile: unplug the device, and again")
    lost_uah = _lost_microampere_hours(readings)
    currents = _told([reading.current for reading in readings], "current")
    if min(currents) < 0 < max(currents):
        raise CalibrationError("the current changed its sign while the battery discharged")
    drawn = _integral_hours([reading.time_s for reading in readings], currents)
    if drawn == 0:
        raise CalibrationError("the current is told as 0 while the charge goes down")
    unit = _current_unit(lost_uah / abs(drawn))
    return Calibration(unit, 1 if drawn > 0 else -1, _microvolts(readings))


def _lost_microampere_hours(readings: Sequence[BatteryReading]) -> float:
    charges = _told([reading.charge for reading in readings], "charge counter")
    steps = [before - after for before, after in pairwise(charges)]
    if min(steps) < 0:
        raise CalibrationError("the charge counter went up while the battery discharged")
    moved = sum(step > 0 for step in steps)
    if moved < _MIN_COUNTER_STEPS:
        raise CalibrationError(
            f"the charge counter moved {moved} times, {_MIN_COUNTER_STEPS} are needed: read for "
            "longer, under load"
        )
    return (charges[0] - charges[-1]) * _charge_scale(charges[0], readings[0].capacity)


def _charge_scale(charge: float, capacity: float | None) -> float:
    """What makes microampere hours of it, from the full charge that it would mean."""
    if capacity is None or not 0 < capacity <= 100:
        raise CalibrationError("the charge in percent is not told: the counter's unit stays open")
    full = charge / (capacity / 100)
    fitting = [scale for scale in (1.0, 1e3) if _within(full * scale * 1e-6, _FULL_CHARGE_AH)]
    if len(fitting) != 1:
        raise CalibrationError(
            f"a full charge of {full:.0f} of the counter's units is plausible neither in µAh nor "
            "in mAh"
        )
    return fitting[0]


def _current_unit(ratio: float) -> str:
    """``ratio``: microampere hours lost by one of the current's units times hours."""
    for unit, scale in _SCALES_OF_UNITS.items():
        if 1 / _AGREEMENT <= ratio / scale <= _AGREEMENT:
            return unit
    raise CalibrationError(
        "the charge counter lost "
        f"{ratio:.3g} times what the current adds up to in µA: neither 1 (µA) nor 1000 (mA)"
    )


def _microvolts(readings: Sequence[BatteryReading]) -> float:
    voltages = _told([reading.voltage for reading in readings], "voltage")
    scales = (1.0, 1e3, 1e6)
    fitting = [
        scale for scale in scales if all(_within(each * scale * 1e-6, _VOLTS) for each in voltages)
    ]
    if len(fitting) != 1:
        raise CalibrationError(
            f"a voltage of {voltages[0]:g} is plausible neither in µV nor in mV nor in V"
        )
    return fitting[0]


def _told(values: Sequence[float | None], what: str) -> list[float]:
    told = [value for value in values if value is not None]
    if len(told) != len(values):
        raise CalibrationError(f"the battery's {what} is not told")
    return told


def _integral_hours(times_s: Sequence[float], values: Sequence[float]) -> float:
    """By trapezoids."""
    points = pairwise(zip(times_s, values, strict=True))
    return sum((b - a) * (x + y) / 2 for (a, x), (b, y) in points) / 3600


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def collect(
    read: Callable[[], BatteryReading],
    duration_s: float,
    period_s: float,
    sleep: Callable[[float], None],
) -> list[BatteryReading]:
    """Reads until ``duration_s`` has passed by the readings' own clock."""
    readings = [read()]
    while readings[-1].time_s - readings[0].time_s < duration_s:
        sleep(period_s)
        readings.append(read())
    return readings


def save_calibration(path: Path, battery: str, calibration: Calibration) -> None:
    """Beside those of other batteries; raises OSError."""
    known = _load_all(path)
    known[battery] = asdict(calibration)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(known, file, indent=2, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_calibration(root: Path, battery: str) -> Calibration | None:
    """None where there is none, or none that can be used."""
    path = settings_file(root, FILE_NAME)
    entry = _load_all(path).get(battery) if path is not None else None
    if not isinstance(entry, dict):
        return None
    try:
        found = Calibration(**entry)
        sound = (
            found.current_unit in _SCALES_OF_UNITS
            and found.discharge_sign in (-1, 1)
            and found.microvolts in (1.0, 1e3, 1e6)
        )
    except TypeError:  # other fields than these
        return None
    return found if sound else None


def _load_all(path: Path) -> dict[str, object]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
