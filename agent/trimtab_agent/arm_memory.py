"""An arm's memory figures, and why some are missing."""

from __future__ import annotations

from dataclasses import replace

from trimtab_agent.arm_progress import ArmProgress
from trimtab_agent.records import MemoryUse
from trimtab_agent.runtimes.base import RuntimeMissing
from trimtab_agent.runtimes.registry import create_runtime

_ARENA = "memory_arena_mb"
_ACCELERATOR = "memory_accelerator_mb"
_FROM_THE_SYSTEM = {
    "memory_runtime_mb": "runtime_bytes",
    "memory_model_mb": "model_bytes",
    "memory_model_file_mb": "model_file_backed_bytes",
    "memory_loaded_mb": "loaded_bytes",
    "memory_load_peak_mb": "load_peak_bytes",
    "memory_peak_mb": "peak_bytes",
    "memory_peak_file_mb": "peak_file_backed_bytes",
    "memory_retained_mb": "retained_bytes",
}
MEMORY_METRICS = (*_FROM_THE_SYSTEM, _ARENA, _ACCELERATOR)
_NOT_TOLD = "the operating system does not tell"


def memory_of(arm: ArmProgress) -> MemoryUse:
    """The arena's size is told by the profile pass, all else by the memory pass."""
    return replace(arm.memory, arena_bytes=arm.arena_bytes)


def memory_unavailable(arm: ArmProgress) -> dict[str, str]:
    """Metric -> why this device cannot give it."""
    failed = arm.memory_failure
    why = _NOT_TOLD if failed is None else f"the memory pass failed: {failed.message}"
    reasons = {
        metric: why
        for metric, name in _FROM_THE_SYSTEM.items()
        if getattr(arm.memory, name) is None
    }
    if arm.arena_bytes is None:
        reasons[_ARENA] = _arena_unavailable(arm.arm.runtime)
    reasons[_ACCELERATOR] = _accelerator_unavailable(arm.accelerator_used)
    return reasons


def _arena_unavailable(runtime: str) -> str:
    try:
        return create_runtime(runtime).arena_unavailable
    except RuntimeMissing as missing:
        return str(missing)


def _accelerator_unavailable(used: str) -> str:
    if used in ("", "cpu"):
        return "it ran on the processor, whose memory the other figures are"
    return f"this agent does not read the memory of {used}; the other figures leave it out"
