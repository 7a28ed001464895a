"""What the user knows of a device's power: its battery, and a model where it has no sensor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PowerModel:
    """Watts: of the whole device with nothing to do, and what each busy processor core adds."""

    idle_w: float
    busy_core_w: float


@dataclass(frozen=True)
class DevicePower:
    """None: the user gave none."""

    battery_wh: float | None = None
    model: PowerModel | None = None
