"""The harness itself: what it costs, and the clock it reads."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from trimtab_agent.doctor.finding import Finding
from trimtab_agent.middle import median
from trimtab_agent.probes.sysfs import read_text
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.process import Message, run_worker

_CLOCKSOURCE = "sys/devices/system/clocksource/clocksource0/current_clocksource"
_CLOCK_READINGS = 1000
_COARSE_NS = 10_000
_NULL_SAMPLES = 5000
_NULL_TIMEOUT_NS = 30_000_000_000
_NULL_LIMIT_NS = 2_000_000_000
NULL_BOUND_NS = 500


def clock_resolution_ns(clock: Callable[[], int]) -> int:
    """The smallest step seen between readings; 0 where the clock stood still throughout."""
    readings = [clock() for _ in range(_CLOCK_READINGS)]
    steps = [after - before for before, after in pairwise(readings)]
    return min((step for step in steps if step > 0), default=0)


async def null_median_ns(scratch: Path) -> float | str:
    """What the harness itself costs: the null runtime's median, or why it could not be had."""
    latencies: list[int] = []

    def keep(message: Message) -> None:
        if message["kind"] == "samples":
            latencies.extend(message["latency_ns"])

    task = WorkerTask(
        mode="repeat",
        runtime="null",
        model_path="null",
        min_sample_count=_NULL_SAMPLES,
        max_duration_ns=_NULL_LIMIT_NS,
        min_warmup_count=_NULL_SAMPLES,
    )
    failure = await run_worker(task, scratch, _NULL_TIMEOUT_NS, keep)
    if failure is not None:
        return failure.message
    return median(latencies)


def clocksource(root: Path) -> str:
    """The kernel's name for what it reads; "" where it does not tell."""
    return read_text(root / _CLOCKSOURCE) or ""


def clock_finding(resolution_ns: int, source: str = "") -> Finding:
    origin = f" (clock source {source})" if source else ""
    if 0 < resolution_ns <= _COARSE_NS:
        return Finding("clock", "ok", f"steps of {resolution_ns} ns{origin}")
    steps = f"steps of {resolution_ns} ns" if resolution_ns else "does not move between readings"
    advice = "fast models cannot be timed; see /sys/devices/system/clocksource"
    return Finding("clock", "warning", steps + origin, advice, voids=not resolution_ns)


def null_finding(null_ns: float | str) -> Finding:
    if isinstance(null_ns, str):
        return Finding("harness", "warning", f"the null runtime failed: {null_ns}")
    seen = f"{null_ns:.0f} ns median for a null runtime; never subtracted from a result"
    if null_ns <= NULL_BOUND_NS:
        return Finding("harness", "ok", seen)
    advice = f"over {NULL_BOUND_NS} ns: figures of fast models are too high; stop what else runs"
    return Finding("harness", "warning", seen, advice)
