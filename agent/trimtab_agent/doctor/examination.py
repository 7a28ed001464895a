"""The whole examination; it looks and changes nothing."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path

from trimtab_agent.cpus import allowed_cpus, governors
from trimtab_agent.doctor.abilities import ability_findings
from trimtab_agent.doctor.finding import Examination, Finding
from trimtab_agent.doctor.harness import (
    clock_finding,
    clock_resolution_ns,
    clocksource,
    null_finding,
    null_median_ns,
)
from trimtab_agent.doctor.isolation import isolation_finding, worker_isolation
from trimtab_agent.doctor.samplers import sampler_cost, sampler_finding
from trimtab_agent.doctor.settings import (
    boost_finding,
    governor_finding,
    power_mode_finding,
    power_source_finding,
)
from trimtab_agent.doctor.surroundings import (
    disk_finding,
    headroom_finding,
    load_finding,
    memory_finding,
    other_worker_finding,
    running_workers,
    swap_finding,
    throttling_finding,
)
from trimtab_agent.foreign import background_load
from trimtab_agent.paging import meminfo, swapped_pages
from trimtab_agent.probes.power_supply import power_source
from trimtab_agent.probes.thermal import least_headroom
from trimtab_agent.probes.throttling import throttle_state
from trimtab_agent.records import RuntimeInfo
from trimtab_agent.worker.discovery import describe_runtimes

_ROOT = Path("/")


def examine(root: Path = _ROOT, state: Path = _ROOT) -> Examination:
    """Takes some fifteen seconds. ``state``: the folder the agent will write in, or one above.

    It starts workers, and so none where another agent measures: its figures would suffer.
    """
    return asyncio.run(_examine(root, state))


async def _examine(root: Path, state: Path) -> Examination:
    others = running_workers()
    disturbances = await _disturbances(root, state, others)
    runtimes: tuple[RuntimeInfo, ...] = ()
    harness: tuple[Finding, ...] = (_clock(root),)
    if not others:
        with tempfile.TemporaryDirectory(prefix="trimtab-doctor-") as scratch:
            null = null_finding(await null_median_ns(Path(scratch)))
            samplers = sampler_finding(await sampler_cost(root, Path(scratch)))
            isolation = isolation_finding(await worker_isolation(state))
            harness = (*harness, null, samplers, isolation)
            runtimes = await describe_runtimes(Path(scratch))
    return Examination(ability_findings(root, runtimes, allowed_cpus()), harness, disturbances)


def _clock(root: Path) -> Finding:
    return clock_finding(clock_resolution_ns(time.perf_counter_ns), clocksource(root))


async def _disturbances(root: Path, state: Path, others: tuple[int, ...]) -> tuple[Finding, ...]:
    swapped_before = swapped_pages(root)
    load = await background_load(root)
    memory = meminfo(root)
    return (
        other_worker_finding(others),
        load_finding(load),
        governor_finding(governors(root)),
        power_mode_finding(root),
        boost_finding(root),
        power_source_finding(power_source(root)),
        throttling_finding(throttle_state(root)),
        headroom_finding(least_headroom(root)),
        memory_finding(memory),
        swap_finding(memory, swapped_before, swapped_pages(root)),
        disk_finding(shutil.disk_usage(state).free),
    )
