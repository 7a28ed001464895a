"""How an arm was measured, in words that stand in its conditions."""

from __future__ import annotations

import os
from collections.abc import Iterable

from trimtab_agent.arm_progress import ArmProgress
from trimtab_agent.config import MEGABYTE
from trimtab_agent.cpus import allowed_cpus

_NS_PER_MS = 1e6


def measuring_conditions(arm: ArmProgress) -> dict[str, str]:
    """Lists have one entry a repeat, in their order; what does not apply is left out."""
    repeats = arm.repeats
    gates = [repeat.gate for repeat in repeats if repeat.gate is not None]
    loads = [repeat.load for repeat in repeats if repeat.load is not None]
    found = {
        "threads": str(arm.arm.thread_count),
        "affinity": _affinity(arm.arm.cpu_affinity),
        "warmup_ms": _joined(
            f"{repeat.warmup_duration_ns / _NS_PER_MS:.0f}"
            for repeat in repeats
            if repeat.warmup_duration_ns is not None
        ),
        "planned_samples": _joined(
            f"{repeat.planned_count} ({repeat.plan_reason})"
            for repeat in repeats
            if repeat.planned_count is not None
        ),
        "timed_inferences": _joined(
            f"{len(repeat.latency_ns)} of {repeat.inference_count} (1 in {repeat.timed_every})"
            for repeat in repeats
            if repeat.timed_every is not None
        ),
        "busy_cores": _joined(
            f"{repeat.busy_cores:.3f}" for repeat in repeats if repeat.busy_cores is not None
        ),
        "foreign_load_measuring": _joined(f"{load.share:.3f}" for load in loads),
        "start_temperature_c": _joined(
            "unknown" if gate.temperature_c is None else f"{gate.temperature_c:.1f}"
            for gate in gates
        ),
        "cooldown_s": _joined(f"{gate.waited_ns / 1e9:.1f}" for gate in gates),
        "retries": "; ".join(arm.retries),
        **_memory_limits(arm),
        **_isolation(arm),
    }
    return {name: text for name, text in found.items() if text}


def _isolation(arm: ArmProgress) -> dict[str, str]:
    """As its last repeat had it; they are all started alike."""
    told = [repeat for repeat in arm.repeats if repeat.isolation is not None]
    if not told:
        return {}
    missing = told[-1].isolation_missing
    return {
        "isolation": _joined(told[-1].isolation or ()) or "none",
        "isolation_missing": "; ".join(f"{part}: {why}" for part, why in missing.items()),
    }


def _memory_limits(arm: ArmProgress) -> dict[str, str]:
    """The job's, of the data of one process, and the device's own, of what is kept in memory."""
    told = [repeat for repeat in arm.repeats if repeat.isolation is not None]
    if not told:
        return {}
    limits = {
        "the job's": told[-1].memory_limit_bytes,
        "the device's": told[-1].kept_limit_bytes,
    }
    known = [f"{size / MEGABYTE:.0f} ({whose})" for whose, size in limits.items() if size]
    return {"memory_limit_mb": _joined(known) or "none"}


def _affinity(pinned: Iterable[int]) -> str:
    """Where the agent itself was bound to some processors, its workers are too."""
    allowed = allowed_cpus()
    if listed := ",".join(str(cpu) for cpu in pinned):
        return listed
    if not allowed or len(allowed) == os.cpu_count():
        return "not pinned"
    return f"not pinned, of processors {','.join(str(cpu) for cpu in sorted(allowed))}"


def _joined(texts: Iterable[str]) -> str:
    return ", ".join(texts)
