"""What this device can measure, and what it lacks for the rest."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from trimtab_agent.cpus import fastest_mhz
from trimtab_agent.doctor.bytecode import bytecode_finding
from trimtab_agent.doctor.finding import Finding
from trimtab_agent.probes.registry import NO_TEMPERATURE, power_unavailable_reason, sensor_infos
from trimtab_agent.probes.throttling import throttle_state
from trimtab_agent.records import RuntimeInfo, SensorInfo
from trimtab_agent.runtimes.base import RuntimeMissing
from trimtab_agent.runtimes.registry import create_runtime

_CLEAR_REFS = Path("/proc/self/clear_refs")
_NULL = "null"


def ability_findings(
    root: Path, runtimes: Sequence[RuntimeInfo], cpus: Collection[int]
) -> tuple[Finding, ...]:
    """``runtimes`` empty: they were not asked."""
    real = [info for info in runtimes if not info.unavailable_reason and info.name != _NULL]
    usable = [info.name for info in real]
    asked = bool(runtimes)
    return (
        *(runtime_finding(info) for info in runtimes),
        *(_by_runtime(usable) if asked else (_not_asked(),)),
        *((bytecode_finding([info.package for info in real]),) if real else ()),
        memory_finding(),
        pinning_finding(cpus),
        throttling_ability(root),
        *sensor_findings(sensor_infos(root), power_unavailable_reason(root)),
    )


def runtime_finding(info: RuntimeInfo) -> Finding:
    name = f"runtime {info.name}"
    if info.unavailable_reason:
        advice = f"if it is wanted here: pip install 'trimtab-agent[{info.name}]'"
        return Finding(name, "warning", info.unavailable_reason, advice)
    seen = f"{info.package} {info.version} on {', '.join(info.accelerators)}"
    return Finding(name, "ok", seen)


def memory_finding(clear_refs: Path = _CLEAR_REFS) -> Finding:
    """Without it, a peak would be an older phase's."""
    if os.access(clear_refs, os.W_OK):
        return Finding("memory", "ok", "sizes and peaks: VmHWM can be reset between phases")
    seen = f"sizes without peaks: VmHWM cannot be reset, {clear_refs} is missing or not writable"
    advice = "a Linux kernel with CONFIG_PROC_PAGE_MONITOR has it"
    return Finding("memory", "warning", seen, advice)


def pinning_finding(cpus: Collection[int]) -> Finding:
    if not cpus:
        return Finding("pinning", "unknown", "this system binds no process to a processor")
    return Finding("pinning", "ok", f"to processors {', '.join(map(str, sorted(cpus)))}")


def throttling_ability(root: Path) -> Finding:
    sources = []
    if throttle_state(root) is not None:
        sources.append("throttle flags or counters")
    if fastest_mhz(root) is not None:
        sources.append("the frequency")
    if sources:
        return Finding("throttling", "ok", f"seen by {' and by '.join(sources)}")
    seen = "no throttle flags and no frequencies are told here (usual on a virtual machine)"
    return Finding("throttling", "unknown", seen)


def sensor_findings(sensors: tuple[SensorInfo, ...], power_reason: str | None) -> list[Finding]:
    """One for the temperature, one for the power."""
    thermal = [info for info in sensors if info.unit == "Cel" and not info.unavailable_reason]
    if thermal:
        temperature = Finding("temperature", "ok", f"{len(thermal)} sensors")
    else:
        temperature = Finding("temperature", "unknown", NO_TEMPERATURE)
    if power_reason is not None:
        return [temperature, Finding("power", "unknown", power_reason)]
    names = ", ".join(info.name for info in sensors if info.unit in {"mW", "mJ"})
    return [temperature, Finding("power", "ok", names)]


def _not_asked() -> Finding:
    seen = "the runtimes were not asked: that would have disturbed what is being measured"
    return Finding("runtimes", "unknown", seen, "run it again when that is done")


def _by_runtime(usable: Sequence[str]) -> tuple[Finding, ...]:
    if not usable:
        advice = "pip install 'trimtab-agent[onnxruntime,litert]'"
        nothing = Finding("latency", "warning", "no runtime is usable", advice, voids=True)
        return (nothing,)
    names = ", ".join(usable)
    return (
        Finding("latency", "ok", f"in {names}: latencies, load time and first inference"),
        Finding("accuracy", "ok", f"in {names}, with an evaluation set (--eval)"),
        _profiles(usable),
    )


def _profiles(usable: Sequence[str]) -> Finding:
    told = {name: tells for name in usable if (tells := _operators_told(name))}
    if not told:
        return Finding("operator profiles", "unknown", f"{', '.join(usable)} tell no operators")
    seen = "; ".join(f"{name}: {tells}" for name, tells in told.items())
    return Finding("operator profiles", "ok", seen)


def _operators_told(name: str) -> str:
    try:
        return create_runtime(name).operators_told
    except RuntimeMissing:
        return ""
