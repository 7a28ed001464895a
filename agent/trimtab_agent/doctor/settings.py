"""What the device is set to, and the command that sets it otherwise."""

from __future__ import annotations

from pathlib import Path

from trimtab_agent.doctor.finding import Finding
from trimtab_agent.power_mode import (
    BOOST,
    NO_TURBO,
    PREFERENCE,
    PROFILE,
    boost,
    energy_preferences,
    jetson_mode,
    power_mode,
)
from trimtab_agent.probes.sysfs import read_text

_POLICIES = "/sys/devices/system/cpu/cpufreq/policy*"
_BEST = "performance"
_UNKNOWN = "unknown: "


def governor_finding(governor: str) -> Finding:
    if governor.startswith("unknown"):
        return Finding("governor", "unknown", governor.removeprefix(_UNKNOWN))
    if governor == _BEST:
        return Finding("governor", "ok", governor)
    advice = f"for steadier figures: {_set(_BEST, f'{_POLICIES}/scaling_governor')}"
    return Finding("governor", "warning", governor, advice)


def power_mode_finding(root: Path) -> Finding:
    seen = power_mode(root)
    if seen.startswith("unknown"):
        reason = seen.removeprefix(_UNKNOWN)
        return Finding("power mode", "unknown", reason, "see what it is: sudo nvpmodel -q")
    if seen.startswith("none"):
        return Finding("power mode", "ok", seen.partition(": ")[2])
    commands = [*_jetson_commands(root), *_profile_commands(root), *_preference_commands(root)]
    if not commands:
        return Finding("power mode", "ok", seen)
    return Finding("power mode", "warning", seen, f"for full speed: {'; '.join(commands)}")


def boost_finding(root: Path) -> Finding:
    state = boost(root)
    if state == "off":
        return Finding("boost", "ok", state)
    if state.startswith("none"):
        return Finding("boost", "ok", state.partition(": ")[2])
    off, file = ("1", NO_TURBO) if (root / NO_TURBO).exists() else ("0", BOOST)
    seen = "on: the frequency goes by heat, and by how many processors are busy"
    return Finding(
        "boost", "warning", seen, f"for steadier, slower figures: {_set(off, f'/{file}')}"
    )


def power_source_finding(source: str) -> Finding:
    if source == "battery":
        return Finding("power source", "warning", source, "connect the mains")
    if source.startswith("unknown"):
        return Finding("power source", "unknown", source.removeprefix(_UNKNOWN))
    return Finding("power source", "ok", source.removeprefix("none: "))


def _jetson_commands(root: Path) -> list[str]:
    mode = jetson_mode(root)
    if mode is None or mode.mode_id == mode.fastest:
        return []
    return [f"sudo nvpmodel -m {mode.fastest}, then sudo jetson_clocks"]


def _profile_commands(root: Path) -> list[str]:
    profile = read_text(root / PROFILE)
    choices = (read_text(root / f"{PROFILE}_choices") or "").split()
    if profile in {None, _BEST} or _BEST not in choices:
        return []
    return [f"powerprofilesctl set {_BEST}, or {_set(_BEST, f'/{PROFILE}')}"]


def _preference_commands(root: Path) -> list[str]:
    if energy_preferences(root) in {(), (_BEST,)}:
        return []
    return [_set(_BEST, f"{_POLICIES}/{PREFERENCE}")]


def _set(value: str, files: str) -> str:
    return f"echo {value} | sudo tee {files}"
