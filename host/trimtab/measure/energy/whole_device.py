"""Which sensors stand for the whole device; pure.

One that covers all of it, else all of those that are to be added up. Rails are nested on many
boards, so nothing is added up that is not known to be apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.measure.energy.errors import NoEnergy
from trimtab.records import SensorInfo

_WHY_NOT = {
    "part": "a part of the device",
    "other": "something else than the device",
    None: "what it covers is not known",
}


@dataclass(frozen=True)
class WholeDevice:
    """The sensors whose sum is the device's. ``scope``: what that number covers, and what not."""

    sensors: tuple[SensorInfo, ...]
    scope: str


def whole_device(sensors: Sequence[SensorInfo]) -> WholeDevice:
    """Raises NoEnergy: none stands for the device, or one of those to be added up failed."""
    totals = [each for each in sensors if each.role == "total"]
    if totals:
        return _of_totals(totals)
    addends = [each for each in sensors if each.role == "addend"]
    if not addends:
        raise NoEnergy(_none_stands(sensors))
    failed = [each for each in addends if each.unavailable_reason]
    if failed:
        reasons = "; ".join(f"{each.name}: {each.unavailable_reason}" for each in failed)
        raise NoEnergy(f"of the {len(addends)} sensors to be added up one is missing: {reasons}")
    scopes = ", ".join(f"{each.name} ({each.scope or 'scope not told'})" for each in addends)
    return WholeDevice(tuple(addends), f"the sum of {len(addends)} sensors: {scopes}")


def _of_totals(totals: Sequence[SensorInfo]) -> WholeDevice:
    """Of several the one that updates most often; one whose period is not told comes last."""
    working = [each for each in totals if not each.unavailable_reason]
    if not working:
        raise NoEnergy("; ".join(f"{each.name}: {each.unavailable_reason}" for each in totals))
    chosen = min(working, key=lambda each: each.sample_period_ns or float("inf"))
    scope = f"{chosen.name}: {chosen.scope or 'all that the device takes'}"
    if len(working) > 1:
        others = ", ".join(each.name for each in working if each is not chosen)
        scope += f" (the one of {len(working)} totals that updates most often; not {others})"
    return WholeDevice((chosen,), scope)


def _none_stands(sensors: Sequence[SensorInfo]) -> str:
    seen = "; ".join(
        f"{each.name} ({each.scope or 'scope not told'}): {_why_not(each)}" for each in sensors
    )
    return f"no sensor stands for the whole device: {seen}"


def _why_not(sensor: SensorInfo) -> str:
    return sensor.unavailable_reason or _WHY_NOT.get(sensor.role, "not for the whole device")
