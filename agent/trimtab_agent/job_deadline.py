"""The longest that a job may hold the device."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from trimtab_protos.errors import SpecInvalid
from trimtab_protos.failure import Failure

from trimtab_agent.records import JobSpec

_SECOND_NS = 10**9


async def ended_in_time(work: Coroutine[Any, Any, None], limit_ns: int) -> bool:
    """False where it was cancelled for the limit. Raises what ``work`` raises."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=limit_ns / _SECOND_NS)
    finally:
        in_time = task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if in_time:
        task.result()
    return in_time


def check_length(spec: JobSpec, most_ns: int) -> None:
    """Raises SpecInvalid for a job that would surely come to its end by the agent's limit."""
    least_ns = least_duration_ns(spec)
    if least_ns > most_ns:
        hours = 3600 * _SECOND_NS
        raise SpecInvalid(
            f"policy: the job would take {least_ns / hours:.1f} h at least, and this agent gives "
            f"one job {most_ns / hours:g} h at most",
            field="policy",
        )


def least_duration_ns(spec: JobSpec) -> int:
    """What its repeats take at the least, without loading, cooling down or the passes after."""
    policy, processes = spec.policy, len(spec.arms) * spec.repeat_count
    if spec.support_only:
        return 0
    if spec.blocks is not None:
        blocks_ns = len(spec.arms) * spec.blocks.count * spec.blocks.duration_ns
        return spec.repeat_count * min(blocks_ns, policy.max_duration_ns)
    if spec.sustain_ns is not None:
        return processes * spec.sustain_ns
    return processes * (policy.min_duration_ns + policy.warmup_duration_ns)


def limit_of(asked_ns: int, most_ns: int) -> int:
    """``asked_ns`` 0: none was asked for; ``most_ns``: what the agent gives any job."""
    return min(asked_ns or most_ns, most_ns)


def out_of_time(asked_ns: int, most_ns: int) -> Failure:
    seconds = limit_of(asked_ns, most_ns) / _SECOND_NS
    if asked_ns and asked_ns <= most_ns:
        advice = "give it a longer time limit, or fewer arms or repeats"
    else:
        advice = "give it fewer arms or repeats, or the agent a larger --max-job-hours"
    return Failure("resources", f"the job took longer than its limit of {seconds:g} s: {advice}")
