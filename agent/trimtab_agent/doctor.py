"""What stands in the way of good figures on this device, measured where it can be."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Literal

from trimtab_agent.cpus import governors
from trimtab_agent.disturbance import FOREIGN_LOAD_LIMIT
from trimtab_agent.load import measure_foreign_load
from trimtab_agent.probes.registry import (
    NO_TEMPERATURE,
    power_unavailable_reason,
    sensor_infos,
)
from trimtab_agent.records import RuntimeInfo, SensorInfo
from trimtab_agent.worker.discovery import describe_runtimes
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.process import Message, run_worker

_ROOT = Path("/")
_CLOCK_READINGS = 1000
_COARSE_NS = 10_000
_NULL_SAMPLES = 5000
_NULL_TIMEOUT_NS = 30_000_000_000
_NULL_LIMIT_NS = 2_000_000_000
NULL_BOUND_NS = 500


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's; ``advice`` is empty where there is nothing to do."""

    name: str
    outcome: Literal["ok", "warning", "unknown"]
    seen: str
    advice: str = ""


def examine(root: Path = _ROOT) -> list[Finding]:
    """Takes about two seconds; starts workers, so run it with nothing being measured."""
    return asyncio.run(examine_async(root))


async def examine_async(root: Path = _ROOT) -> list[Finding]:
    load = await measure_foreign_load(root)
    with tempfile.TemporaryDirectory(prefix="trimtab-doctor-") as scratch:
        null_ns = await null_median_ns(Path(scratch))
        runtimes = await describe_runtimes(Path(scratch))
    return [
        clock_finding(clock_resolution_ns(time.perf_counter_ns)),
        null_finding(null_ns),
        *(runtime_finding(info) for info in runtimes),
        governor_finding(governors(root)),
        load_finding(load),
        *sensor_findings(sensor_infos(root), power_unavailable_reason(root)),
    ]


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


def clock_finding(resolution_ns: int) -> Finding:
    if 0 < resolution_ns <= _COARSE_NS:
        return Finding("clock", "ok", f"steps of {resolution_ns} ns")
    seen = f"steps of {resolution_ns} ns" if resolution_ns else "it does not move between readings"
    advice = "fast models cannot be timed; see /sys/devices/system/clocksource"
    return Finding("clock", "warning", seen, advice)


def null_finding(null_ns: float | str) -> Finding:
    if isinstance(null_ns, str):
        return Finding("harness", "warning", f"the null runtime failed: {null_ns}")
    seen = f"{null_ns:.0f} ns median for a null runtime; never subtracted from a result"
    if null_ns <= NULL_BOUND_NS:
        return Finding("harness", "ok", seen)
    advice = f"over {NULL_BOUND_NS} ns: figures of fast models are too high; stop what else runs"
    return Finding("harness", "warning", seen, advice)


def runtime_finding(info: RuntimeInfo) -> Finding:
    name = f"runtime {info.name}"
    if info.unavailable_reason:
        advice = f"if it is wanted here: pip install 'trimtab-agent[{info.name}]'"
        return Finding(name, "warning", info.unavailable_reason, advice)
    seen = f"{info.package} {info.version} on {', '.join(info.accelerators)}"
    return Finding(name, "ok", seen)


def governor_finding(governor: str) -> Finding:
    if governor.startswith("unknown"):
        return Finding("governor", "unknown", governor)
    if governor == "performance":
        return Finding("governor", "ok", governor)
    advice = "for steadier figures: echo performance | sudo tee "
    advice += "/sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
    return Finding("governor", "warning", governor, advice)


def load_finding(share: float | None) -> Finding:
    if share is None:
        return Finding("background load", "unknown", "this system does not tell processor times")
    seen = f"{share:.0%} of the processor time"
    if share <= FOREIGN_LOAD_LIMIT:
        return Finding("background load", "ok", seen)
    return Finding("background load", "warning", seen, "stop what else runs while measuring")


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
