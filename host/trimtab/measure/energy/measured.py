"""What the sensors that stand for the device say of each repeat; pure."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.measure.energy.errors import NoEnergy
from trimtab.measure.energy.of_repeat import RepeatEnergy, repeat_energy
from trimtab.measure.energy.whole_device import whole_device
from trimtab.records import RawArm

NO_SENSOR = "the device reported no energy"


@dataclass(frozen=True)
class MeasuredEnergy:
    """``scope``: what the figures cover."""

    scope: str
    repeats: tuple[RepeatEnergy, ...]


def measured_energy(raw: RawArm) -> MeasuredEnergy:
    """Raises NoEnergy with the reason: one repeat without an energy leaves the arm without."""
    if not raw.sensors:
        raise NoEnergy(NO_SENSOR)
    device = whole_device(raw.sensors)
    if not raw.repeats:
        raise NoEnergy("no repeat was measured")
    found = []
    for repeat in raw.repeats:
        try:
            found.append(_positive(repeat_energy(repeat, device.sensors)))
        except NoEnergy as reason:
            raise NoEnergy(f"repeat {repeat.index + 1}: {reason}") from reason
    return MeasuredEnergy(device.scope, tuple(found))


def _positive(found: RepeatEnergy) -> RepeatEnergy:
    """A rail may be off; a whole device that runs is not."""
    if found.gross.value <= 0:
        raise NoEnergy(f"the sensors told {found.power_w.value:g} W while the device measured")
    return found
