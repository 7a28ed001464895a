"""What each sensor told, for a table: parts are shown beside the total and never added to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.measure.energy.errors import NoEnergy
from trimtab.measure.energy.of_repeat import RepeatEnergy, repeat_energy
from trimtab.records import RawArm, SensorInfo, SensorRole


@dataclass(frozen=True)
class Rail:
    """Means over the repeats. None: not known, for the reason in ``unavailable_reason``, or for
    ``idle_w`` alone because no idle window told."""

    name: str
    scope: str
    role: SensorRole | None
    power_w: float | None = None
    energy_mj: float | None = None
    idle_w: float | None = None
    unavailable_reason: str = ""


def rails(raw: RawArm) -> list[Rail]:
    """In the device's order, also those that failed."""
    return [_rail(raw, sensor) for sensor in raw.sensors]


def _rail(raw: RawArm, sensor: SensorInfo) -> Rail:
    try:
        repeats = [repeat_energy(repeat, [sensor]) for repeat in raw.repeats]
    except NoEnergy as reason:
        return Rail(sensor.name, sensor.scope, sensor.role, unavailable_reason=str(reason))
    if not repeats:
        nothing = "no repeat was measured"
        return Rail(sensor.name, sensor.scope, sensor.role, unavailable_reason=nothing)
    return Rail(
        sensor.name,
        sensor.scope,
        sensor.role,
        power_w=_mean([each.power_w.value for each in repeats]),
        energy_mj=_mean([each.gross.value for each in repeats]),
        idle_w=_idle_mean(repeats),
        unavailable_reason=next((each.no_idle for each in repeats if each.no_idle), ""),
    )


def _idle_mean(repeats: Sequence[RepeatEnergy]) -> float | None:
    known = [each.idle.power_w.value for each in repeats if each.idle is not None]
    return _mean(known) if len(known) == len(repeats) else None


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
