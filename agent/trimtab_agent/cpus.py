"""The processors, as the kernel tells them."""

from __future__ import annotations

import os
import platform
from collections.abc import Collection, Iterable
from pathlib import Path

from trimtab_agent.boards.cores import core_name, core_name_of_midr
from trimtab_agent.probes.sysfs import folders, read_int, read_text
from trimtab_agent.records import CpuCluster

_CPU = "sys/devices/system/cpu"
_MIDR = "regs/identification/midr_el1"


def core_types(root: Path) -> dict[int, str]:
    """Each processor's name, "" where neither /proc/cpuinfo nor its own register tells one."""
    types = _types_in_cpuinfo(read_text(root / "proc/cpuinfo") or "")
    for folder in folders(root / _CPU, "cpu[0-9]*"):
        cpu = int(folder.name.removeprefix("cpu")) if folder.name[3:].isdigit() else None
        midr = _hexadecimal(folder / _MIDR)
        if cpu is not None and midr is not None and not types.get(cpu):
            types[cpu] = core_name_of_midr(midr)
    return types


def clusters(root: Path) -> tuple[CpuCluster, ...]:
    """Processors of one name, highest frequency and shared clock, in the order of their numbers.

    Where no frequency is told, the kernel's own measure of their speed keeps them apart. A clock of
    one processor alone, as on x86, parts it from no others.
    """
    groups: dict[tuple[str, int, int, str], list[int]] = {}
    frequencies, clocks, kinds = max_frequencies_hz(root), _shared_clocks(root), _intel_kinds(root)
    for cpu, model in sorted(core_types(root).items()):
        name = f"{model} {kinds[cpu]}" if cpu in kinds else model
        frequency = frequencies.get(cpu, 0)
        capacity = 0 if frequency else (read_int(root / _CPU / f"cpu{cpu}/cpu_capacity") or 0)
        groups.setdefault((name, frequency, capacity, clocks.get(cpu, "")), []).append(cpu)
    return tuple(CpuCluster(name, tuple(cpus), hz) for (name, hz, _, _), cpus in groups.items())


def _intel_kinds(root: Path) -> dict[int, str]:
    """Of a hybrid processor, whose kinds of core share one name (the kernel's events name them)."""
    kinds = {"cpu_core": "P-core", "cpu_atom": "E-core"}
    return {
        cpu: kind
        for device, kind in kinds.items()
        for cpu in _listed(read_text(root / "sys/devices" / device / "cpus") or "")
    }


def _listed(text: str) -> set[int]:
    """The processors of a list as the kernel writes them ("0-3,6"); none of what is no list."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and (last or first).isdigit():
            found.update(range(int(first), int(last or first) + 1))
    return found


def _shared_clocks(root: Path) -> dict[int, str]:
    """By processor, the name of the policy that it shares with others."""
    shared = ((policy.name, governed(policy)) for policy in policies(root))
    return {cpu: name for name, cpus in shared if len(cpus) > 1 for cpu in cpus}


def max_frequencies_hz(root: Path) -> dict[int, int]:
    """By processor, of those whose driver tells."""
    found: dict[int, int] = {}
    for policy in policies(root):
        if (khz := read_int(policy / "cpuinfo_max_freq")) is not None and khz > 0:
            found.update(dict.fromkeys(governed(policy), khz * 1000))
    for file in folders(root / _CPU, "cpu[0-9]*/cpufreq/cpuinfo_max_freq"):
        cpu, own_khz = file.parents[1].name.removeprefix("cpu"), read_int(file)
        if cpu.isdigit() and own_khz is not None and own_khz > 0:
            found[int(cpu)] = own_khz * 1000
    return found


def policies(root: Path) -> list[Path]:
    """The folders of what shares one frequency (admin-guide/pm/cpufreq)."""
    return folders(root / _CPU / "cpufreq", "policy*")


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
        for policy in policies(root)
        if not cpus or governed(policy) & set(cpus)
        if (khz := read_int(policy / "scaling_cur_freq")) is not None
    ]
    return max(found, default=None)


def governed(policy: Path) -> set[int]:
    """The processors that share this policy's frequency."""
    listed = (read_text(policy / "related_cpus") or "").split()
    return {int(cpu) for cpu in listed if cpu.isdigit()}


def cpu_range(cpus: Iterable[int]) -> str:
    """ "0-3,6" as the kernel writes lists of processors."""
    runs: list[list[int]] = []
    for cpu in sorted(cpus):
        if runs and cpu == runs[-1][-1] + 1:
            runs[-1].append(cpu)
        else:
            runs.append([cpu])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _each_policy(root: Path, file: str) -> list[str]:
    return [text for policy in policies(root) if (text := read_text(policy / file))]


def _types_in_cpuinfo(text: str) -> dict[int, str]:
    types: dict[int, str] = {}
    shared = ""
    for block in text.split("\n\n"):
        fields = _fields(block)
        name = _core_type(fields)
        if fields.get("processor", "").isdigit():
            types[int(fields["processor"])] = name
        elif fields:
            shared = name  # older Arm kernels tell it once, for all
    return {cpu: name or shared for cpu, name in types.items()}


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _core_type(fields: dict[str, str]) -> str:
    """Arm's numbers before its text, which is "ARMv7 Processor rev 3 (v7l)" on 32-bit kernels."""
    try:
        return core_name(int(fields["CPU implementer"], 16), int(fields["CPU part"], 16))
    except (KeyError, ValueError):
        return fields.get("model name", "")


def _hexadecimal(path: Path) -> int | None:
    try:
        return int(read_text(path) or "", 16)
    except ValueError:
        return None
