"""The power mode and the boost that the device is set to, as maker and kernel tell them.

Every text is a mode, "none: reason" where this machine has no such thing, or "unknown: reason"
where it has one and does not tell. A Raspberry Pi has neither mode nor boost switch.

Sources: ABI/testing/sysfs-platform_profile, admin-guide/pm/{cpufreq,intel_pstate,amd-pstate} of the
kernel; NVIDIA's Jetson Linux Developer Guide (nvpmodel).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.probes.sysfs import folders, read_int, read_text

PROFILE = "sys/firmware/acpi/platform_profile"
NVPMODEL_STATE = "var/lib/nvpmodel/status"
NVPMODEL_MODES = "etc/nvpmodel.conf"
BOOST = "sys/devices/system/cpu/cpufreq/boost"
NO_TURBO = "sys/devices/system/cpu/intel_pstate/no_turbo"
PREFERENCE = "energy_performance_preference"
DEVICE_TREE = "proc/device-tree/compatible"
_POLICIES = "sys/devices/system/cpu/cpufreq"
_TEGRA = "nvidia,tegra"
_STATE = re.compile(r"pmode:(\d+)")
_MODE = re.compile(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>")
_NO_MODE = "none: no platform profile, energy preference or nvpmodel here"
_NO_BOOST = "none: the processor's driver has no switch for boost"


@dataclass(frozen=True)
class JetsonMode:
    """``mode_id`` None: the state file does not tell. ``names``: those of the configuration."""

    mode_id: int | None
    names: dict[int, str]

    @property
    def name(self) -> str:
        return "" if self.mode_id is None else self.names.get(self.mode_id, str(self.mode_id))

    @property
    def fastest(self) -> int:
        """The number is not in the order of speed: an Orin Nano's 0 is 15 W, its 2 MAXN_SUPER."""
        unbound = [mode_id for mode_id, name in self.names.items() if name.startswith("MAXN")]
        return max(unbound, default=0)


def power_mode(root: Path) -> str:
    """Every source that tells, the mode first and what says so in brackets."""
    jetson = jetson_mode(root)
    if jetson is not None and jetson.mode_id is None:
        return f"unknown: nvpmodel is set up here and /{NVPMODEL_STATE} does not tell the mode"
    found = {
        "nvpmodel": "" if jetson is None else jetson.name,
        "platform profile": read_text(root / PROFILE) or "",
        "energy preference": ", ".join(energy_preferences(root)),
    }
    told = [f"{mode} ({source})" for source, mode in found.items() if mode]
    return ", ".join(told) or _NO_MODE


def jetson_mode(root: Path) -> JetsonMode | None:
    """None where there is no nvpmodel."""
    state, modes = read_text(root / NVPMODEL_STATE), read_text(root / NVPMODEL_MODES)
    if state is None and modes is None:
        return None
    match = _STATE.search(state or "")
    names = {int(mode_id): name for mode_id, name in _MODE.findall(modes or "")}
    return JetsonMode(int(match.group(1)) if match else None, names)


def jetson_clocks(root: Path) -> str | None:
    """Whether the processors' clocks stand still, as after jetson_clocks; None: not a Jetson.

    It leaves no mark of its own: it raises the lowest frequency allowed to the highest.
    """
    if jetson_mode(root) is None and _TEGRA not in (read_text(root / DEVICE_TREE) or ""):
        return None
    limits = [
        (lowest, highest)
        for policy in folders(root / _POLICIES, "policy*")
        if (lowest := read_int(policy / "scaling_min_freq")) is not None
        and (highest := read_int(policy / "scaling_max_freq")) is not None
    ]
    if not limits:
        return "unknown: the kernel tells no limits of the frequency here"
    fixed = sum(lowest == highest for lowest, highest in limits)
    if not fixed:
        return "off"
    if fixed < len(limits):
        return f"on for {fixed} of {len(limits)} clusters (lowest = highest frequency)"
    return "on (lowest = highest frequency)"


def energy_preferences(root: Path) -> tuple[str, ...]:
    """Each in use, of intel_pstate's or amd-pstate's policies; empty where there are none."""
    policies = folders(root / _POLICIES, "policy*")
    found = {text for policy in policies if (text := read_text(policy / PREFERENCE))}
    return tuple(sorted(found))


def boost(root: Path) -> str:
    """ "on", "off", or "none: reason"."""
    no_turbo = read_text(root / NO_TURBO)
    if no_turbo in {"0", "1"}:
        return "off" if no_turbo == "1" else "on"
    allowed = read_text(root / BOOST)
    if allowed in {"0", "1"}:
        return "on" if allowed == "1" else "off"
    return _NO_BOOST
