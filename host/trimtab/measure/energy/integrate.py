"""The energy that one sensor saw within a window, with its uncertainty; pure: docs/energy.md."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.measure.energy.averaged import averaged_energy
from trimtab.measure.energy.counter import counter_energy
from trimtab.measure.energy.coverage import require_covered
from trimtab.measure.energy.errors import NoEnergy
from trimtab.measure.energy.readings import Readings, readings_of, updates
from trimtab.measure.energy.sampled import sampled_energy
from trimtab.measure.energy.uncertain import Uncertain
from trimtab.records import SensorInfo, SensorSeries, Window

_NS_PER_S = 1e9
_UNITS = {"instantaneous": "mW", "averaged": "mW", "counter": "mJ"}


@dataclass(frozen=True)
class WindowEnergy:
    """``energy`` in mJ. ``update_count``: of the sensor, within the window.

    ``changed`` False: every reading around the repeat is the same, so that whether the sensor
    updates at all is not known.
    """

    energy: Uncertain
    duration_s: float
    update_count: int
    changed: bool

    @property
    def power_mw(self) -> Uncertain:
        return self.energy.times(1 / self.duration_s)


def integrate(info: SensorInfo, series: SensorSeries, window: Window) -> WindowEnergy:
    """Raises NoEnergy with the reason: it failed, does not cover the window, stalled, wrapped
    around where that cannot be counted, told what cannot be, or cannot be understood.

    A few updates give a figure with a wide interval; whether they suffice is for the checks.
    """
    _require_understood(info)
    duration_s = (window.end_offset_ns - window.begin_offset_ns) / _NS_PER_S
    if duration_s <= 0:
        raise NoEnergy("its window has no duration")
    readings = readings_of(info, series, window.begin_offset_ns)
    require_covered(info.name, readings, 0.0, duration_s, idle=window.phase == "idle")
    energy, count = _energy(info, readings, duration_s)
    if energy.value < -energy.half_width:
        raise NoEnergy(f"{info.name} told negative power: which way is drawing is not known")
    return WindowEnergy(energy, duration_s, _known(readings, count), not readings.constant)


def _require_understood(info: SensorInfo) -> None:
    if info.unavailable_reason:
        raise NoEnergy(f"{info.name}: {info.unavailable_reason}")
    if info.kind is None:
        raise NoEnergy(f"{info.name}: whether it tells a moment's power or a mean is not known")
    if info.unit != _UNITS[info.kind]:
        raise NoEnergy(f"{info.name} is told to be {info.kind} and in {info.unit}")


def _energy(info: SensorInfo, readings: Readings, duration_s: float) -> tuple[Uncertain, int]:
    if info.kind == "counter":
        return counter_energy(info.name, readings, 0.0, duration_s, info.counter_range)
    if info.kind == "averaged":
        return averaged_energy(info.name, readings, 0.0, duration_s)
    return sampled_energy(info.name, updates(readings), 0.0, duration_s, readings.step)


def _known(readings: Readings, count: int) -> int:
    """Of a sensor that changed too seldom to tell its period, no more updates than were seen."""
    if readings.period_s or readings.constant:
        return count
    seen = int((readings.value[1:] != readings.value[:-1]).sum())
    return min(count, seen + 1)
