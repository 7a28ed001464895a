"""Checks that the device's settings were known and stayed as they were; pure.

A look is what :func:`trimtab_agent.device.conditions` gave at one moment: before an arm's first
repeat, and after each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trimtab_agent.disturbance import OF_STATE
from trimtab_agent.records import Check

Look = Mapping[str, str]

SETTINGS = ("governor", "power_mode", "boost", "power_source")
_LATENCY = ("latency",)
_UNKNOWN = "unknown: was not looked at"


def setting_checks(looks: Sequence[Look]) -> tuple[Check, ...]:
    return (governor_check(looks), power_mode_check(looks), power_source_check(looks))


def governor_check(looks: Sequence[Look]) -> Check:
    advice = "stop what changes it (a power daemon?), and measure again"
    return _held("GOVERNOR", [_value(look, "governor") for look in looks], advice)


def power_mode_check(looks: Sequence[Look]) -> Check:
    """Of the mode, and of the boost that some modes switch."""
    advice = "stop what changes it (a power daemon, the lid, the charger?), and measure again"
    return _held("POWER_MODE", [_mode_and_boost(look) for look in looks], advice)


def power_source_check(looks: Sequence[Look]) -> Check:
    """A battery throughout warns: it may be what is wanted, and drains as it is measured."""
    name, values = "POWER_SOURCE", [_value(look, "power_source") for look in looks]
    if set(values) == {"battery"}:
        seen, advice = "on battery throughout", "connect the mains, unless that is what you want"
        return Check(name, "failed", False, _LATENCY, seen, advice)
    return _held(name, values, "keep it plugged in, or unplugged, while measuring")


def _held(name: str, values: Sequence[str], advice: str) -> Check:
    known = list(dict.fromkeys(value for value in values if not value.startswith("unknown")))
    if len(known) > 1:
        seen = f"changed while measuring: {' -> '.join(known)}"
        return Check(name, "failed", True, OF_STATE, seen, advice)
    if len(values) == 0 or len(known) < len(set(values)):
        seen = next((value for value in values if value not in known), _UNKNOWN)
        return Check(name, "unknown", True, OF_STATE, seen)
    if known[0].startswith("none"):
        return Check(name, "not_applicable", True, OF_STATE, known[0].partition(": ")[2])
    return Check(name, "passed", True, OF_STATE, f"{known[0]}, before and after")


def _mode_and_boost(look: Look) -> str:
    mode, boost = _value(look, "power_mode"), _value(look, "boost")
    if mode.startswith("unknown") or boost.startswith("none"):
        return mode
    if boost.startswith("unknown"):
        return boost
    return f"boost {boost}" if mode.startswith("none") else f"{mode}, boost {boost}"


def _value(look: Look, setting: str) -> str:
    return look.get(setting, _UNKNOWN)
