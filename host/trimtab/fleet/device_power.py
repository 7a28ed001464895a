"""A device's battery and power model in ``devices.toml``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from trimtab.records import DevicePower, PowerModel, UserError


def checked_power(power: DevicePower) -> DevicePower:
    """Raises UserError for what no device has."""
    given = {"the battery": power.battery_wh}
    if power.model is not None:
        given |= {"idle": power.model.idle_w, "a busy core": power.model.busy_core_w}
    for name, value in given.items():
        if value is not None and not (math.isfinite(value) and value > 0):
            unit = "watt-hours" if name == "the battery" else "watts"
            raise UserError(f"{name}: {value:g} is no number of {unit}", "give one above 0")
    return power


def power_from(entry: Mapping[str, Any]) -> DevicePower:
    """Raises KeyError, TypeError or ValueError where an entry is not one of :func:`power_entry`."""
    battery, model = entry.get("battery_wh"), entry.get("power_model")
    power = DevicePower(
        None if battery is None else float(battery),
        None if model is None else PowerModel(float(model["idle_w"]), float(model["busy_core_w"])),
    )
    try:
        return checked_power(power)
    except UserError as error:
        raise ValueError(f"{entry.get('name')}: {error.message}") from error


def power_entry(power: DevicePower) -> dict[str, Any]:
    """What is not given is left out."""
    entry: dict[str, Any] = {}
    if power.battery_wh is not None:
        entry["battery_wh"] = power.battery_wh
    if power.model is not None:
        entry["power_model"] = {
            "idle_w": power.model.idle_w,
            "busy_core_w": power.model.busy_core_w,
        }
    return entry
