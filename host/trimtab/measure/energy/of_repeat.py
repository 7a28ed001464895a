"""One repeat's energy: an inference's, gross and above idle, and the powers; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from trimtab.measure.energy.errors import NoEnergy
from trimtab.measure.energy.integrate import WindowEnergy, integrate
from trimtab.measure.energy.readings import readings_of
from trimtab.measure.energy.uncertain import Uncertain, independent_sum, simultaneous_sum
from trimtab.records import RawRepeat, SensorInfo, Window

SETTLING_SHARE = 0.1
"""Of an idle window, what is left out at its begin, and two updates at least."""
_SETTLING_UPDATES = 2
_MW_PER_W = 1e3
_NS_PER_S = 1e9


@dataclass(frozen=True)
class Idle:
    """Watts. ``before`` and ``after`` None: not known, for the reason in ``missing``."""

    power_w: Uncertain
    before: Uncertain | None
    after: Uncertain | None
    missing: str = ""


@dataclass(frozen=True)
class RepeatEnergy:
    """mJ an inference, and watts. ``net`` and ``idle`` None: for the reason ``no_idle``.

    ``update_count``: of the sensor that updated least often. ``changed`` False: one of the sensors
    told the same all the time.
    """

    gross: Uncertain
    power_w: Uncertain
    net: Uncertain | None
    idle: Idle | None
    no_idle: str
    update_count: int
    changed: bool


def repeat_energy(repeat: RawRepeat, sensors: Sequence[SensorInfo]) -> RepeatEnergy:
    """Of what the sensors saw together. Raises NoEnergy with the reason."""
    windows = [each for each in repeat.windows if each.phase == "measure"]
    count = sum(each.inference_count for each in windows)
    if not windows or count <= 0:
        raise NoEnergy("the device did not tell from when to when it measured, and how often")
    each_window = [_together(repeat, sensors, window) for window in windows]
    energy = independent_sum([each.energy for each in each_window])
    duration_s = math.fsum(each.duration_s for each in each_window)
    try:
        idle, no_idle = _idle(repeat, sensors, windows), ""
    except NoEnergy as reason:
        idle, no_idle = None, str(reason)
    net = None
    if idle is not None:
        above = [energy, idle.power_w.times(-duration_s * _MW_PER_W)]
        net = independent_sum(above).times(1 / count)
    return RepeatEnergy(
        gross=energy.times(1 / count),
        power_w=energy.times(1 / duration_s / _MW_PER_W),
        net=net,
        idle=idle,
        no_idle=no_idle,
        update_count=sum(each.update_count for each in each_window),
        changed=all(each.changed for each in each_window),
    )


def _together(repeat: RawRepeat, sensors: Sequence[SensorInfo], window: Window) -> WindowEnergy:
    seen = [_of_sensor(repeat, sensor, window) for sensor in sensors]
    return WindowEnergy(
        energy=simultaneous_sum([each.energy for each in seen]),
        duration_s=seen[0].duration_s,
        update_count=min(each.update_count for each in seen),
        changed=all(each.changed for each in seen),
    )


def _of_sensor(repeat: RawRepeat, sensor: SensorInfo, window: Window) -> WindowEnergy:
    if sensor.name not in repeat.sensors:
        raise NoEnergy(f"{sensor.name}: {sensor.unavailable_reason or 'nothing was read'}")
    return integrate(sensor, repeat.sensors[sensor.name], window)


def _idle(repeat: RawRepeat, sensors: Sequence[SensorInfo], measured: Sequence[Window]) -> Idle:
    """The mean of before and after. Where in between the idle power was meanwhile is not known:
    any value is as likely as another, which has a standard error of a twelfth's root of the two's
    difference."""
    begin = min(each.begin_offset_ns for each in measured)
    end = max(each.end_offset_ns for each in measured)
    idle = [each for each in repeat.windows if each.phase == "idle"]
    before = [each for each in idle if each.end_offset_ns <= begin]  # in the order of time
    after = [each for each in idle if each.begin_offset_ns >= end]
    first, no_first = _idle_power(repeat, sensors, before[-1:])
    second, no_second = _idle_power(repeat, sensors, after[:1])
    if first is not None and second is not None:
        mean = independent_sum([first, second]).times(0.5)
        between = Uncertain(0.0, abs(first.value - second.value) / math.sqrt(12))
        return Idle(independent_sum([mean, between]), first, second)
    if first is not None:
        return Idle(first, first, None, f"only before measuring; after it: {no_second}")
    if second is not None:
        return Idle(second, None, second, f"only after measuring; before it: {no_first}")
    raise NoEnergy(f"no idle power: before measuring {no_first}; after it {no_second}")


def _idle_power(
    repeat: RawRepeat, sensors: Sequence[SensorInfo], windows: Sequence[Window]
) -> tuple[Uncertain | None, str]:
    if not windows:
        return None, "the device did not stay idle"
    try:
        trimmed = _settled(repeat, sensors, windows[0])
        return _together(repeat, sensors, trimmed).power_mw.times(1 / _MW_PER_W), ""
    except NoEnergy as reason:
        return None, str(reason)


def _settled(repeat: RawRepeat, sensors: Sequence[SensorInfo], window: Window) -> Window:
    """Without its begin, in which what a sensor tells may still be of before; and for averages and
    counters without what no later update covers any more."""
    length = window.end_offset_ns - window.begin_offset_ns
    told = [(each, repeat.sensors[each.name]) for each in sensors if each.name in repeat.sensors]
    periods = [readings_of(*each, window.begin_offset_ns).period_ns for each in told]
    settling = max(round(SETTLING_SHARE * length), _SETTLING_UPDATES * max(periods, default=0))
    ends = [
        int(series.offset_ns[-1]) - period
        for (sensor, series), period in zip(told, periods, strict=True)
        if sensor.kind != "instantaneous"
    ]
    begin, end = window.begin_offset_ns + settling, min([window.end_offset_ns, *ends])
    if end <= begin:
        raise NoEnergy(f"{length / _NS_PER_S:.2g} s are too short for a sensor to settle")
    return replace(window, begin_offset_ns=begin, end_offset_ns=end)
