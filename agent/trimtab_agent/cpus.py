"""The processors, as the kernel tells them."""

from __future__ import annotations

import os
import platform
from collections.abc import Collection
from pathlib import Path

from trimtab_agent.probes.sysfs import folders, read_int, read_text
from trimtab_agent.records import CpuCluster

# Arm's own part numbers (implementer 0x41), from the MIDR_EL1 registers of its manuals.
_ARM = "0x41"
_ARM_PARTS = {
    "0xc07": "Cortex-A7",
    "0xc09": "Cortex-A9",
    "0xc0f": "Cortex-A15",
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE",
    "0xd44": "Cortex-X1",
    "0xd46": "Cortex-A510",
    "0xd47": "Cortex-A710",
    "0xd48": "Cortex-X2",
    "0xd49": "Neoverse-N2",
    "0xd4d": "Cortex-A715",
    "0xd4e": "Cortex-X3",
    "0xd4f": "Neoverse-V2",
    "0xd80": "Cortex-A520",
    "0xd81": "Cortex-A720",
    "0xd82": "Cortex-X4",
}


def core_types(root: Path) -> dict[int, str]:
    """Each processor's name from proc/cpuinfo, "" where it tells none."""
    text = read_text(root / "proc/cpuinfo") or ""
    types: dict[int, str] = {}
    for block in text.split("\n\n"):
        fields = _fields(block)
        if fields.get("processor", "").isdigit():
            types[int(fields["processor"])] = _core_type(fields)
    return types


def clusters(root: Path) -> tuple[CpuCluster, ...]:
    """Processors grouped by name and highest frequency, in the order of their numbers."""
    groups: dict[tuple[str, int], list[int]] = {}
    for cpu, name in sorted(core_types(root).items()):
        groups.setdefault((name, _max_frequency_hz(root, cpu)), []).append(cpu)
    return tuple(
        CpuCluster(name, tuple(cpus), frequency) for (name, frequency), cpus in groups.items()
    )


def cpu_model(root: Path) -> str:
    """The processor's name, each kind of core once ("Cortex-A55 + Cortex-A76")."""
    names = [name for name in dict.fromkeys(core_types(root).values()) if name]
    return " + ".join(names) or platform.processor()


def allowed_cpus() -> frozenset[int]:
    """Those that this process may use; empty where the system binds no process to any."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset()


def governors(root: Path) -> str:
    """The governor, or each in use; "unknown: reason" where the kernel has none."""
    found = _each_policy(root, "scaling_governor")
    if not found:
        return "unknown: the kernel has no cpufreq here (usual on a virtual machine)"
    return ", ".join(sorted(set(found)))


def frequencies_mhz(root: Path) -> str:
    """Now, lowest and highest processor; "unknown: reason" where the kernel does not tell."""
    found = [int(text) // 1000 for text in _each_policy(root, "scaling_cur_freq") if text.isdigit()]
    if not found:
        return "unknown: the kernel has no cpufreq here (usual on a virtual machine)"
    return str(found[0]) if min(found) == max(found) else f"{min(found)} to {max(found)}"


def fastest_mhz(root: Path, cpus: Collection[int] = ()) -> float | None:
    """The fastest processor's frequency now, of ``cpus`` (none: of all); None where not told."""
    found = [
        khz / 1000
        for policy in folders(root / "sys/devices/system/cpu/cpufreq", "policy*")
        if not cpus or _governed(policy) & set(cpus)
        if (khz := read_int(policy / "scaling_cur_freq")) is not None
    ]
    return max(found, default=None)


def _governed(policy: Path) -> set[int]:
    """The processors that share this policy's frequency."""
    listed = (read_text(policy / "related_cpus") or "").split()
    return {int(cpu) for cpu in listed if cpu.isdigit()}


def _each_policy(root: Path, file: str) -> list[str]:
    policies = folders(root / "sys/devices/system/cpu/cpufreq", "policy*")
    return [text for policy in policies if (text := read_text(policy / file))]


def _max_frequency_hz(root: Path, cpu: int) -> int:
    path = root / f"sys/devices/system/cpu/cpu{cpu}/cpufreq/cpuinfo_max_freq"
    return (read_int(path) or 0) * 1000


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _core_type(fields: dict[str, str]) -> str:
    if "model name" in fields:
        return fields["model name"]
    part = fields.get("CPU part", "")
    if fields.get("CPU implementer") == _ARM and part in _ARM_PARTS:
        return _ARM_PARTS[part]
    return f"implementer {fields['CPU implementer']} part {part}" if part else ""
