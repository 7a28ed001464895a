"""The longest that a job may hold the device: by its own limit, and by the agent's."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from trimtab_agent.job_deadline import (
    check_length,
    ended_in_time,
    least_duration_ns,
    limit_of,
    out_of_time,
)
from trimtab_agent.records import Arm, BlockSchedule, JobSpec, Policy
from trimtab_protos.errors import SpecInvalid

SECOND = 10**9
ARMS = tuple(Arm(name, (), "null", "cpu", 1, "any") for name in "ab")
POLICY = Policy(2 * SECOND, 20 * SECOND, 1, SECOND, 1, 60 * SECOND)
SPEC = JobSpec(ARMS, 5, POLICY, None, 0, None)


async def test_what_ends_in_time_is_left_alone() -> None:
    assert await ended_in_time(asyncio.sleep(0), SECOND)

    async def fail() -> None:
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        await ended_in_time(fail(), SECOND)


async def test_what_does_not_is_cancelled_and_waited_for() -> None:
    cleaned: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append("up")

    assert not await ended_in_time(work(), SECOND // 100)
    assert cleaned == ["up"]
    task = asyncio.create_task(ended_in_time(work(), 60 * SECOND))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == ["up", "up"]


def test_the_shorter_limit_counts_and_is_named() -> None:
    assert limit_of(0, 7) == 7
    assert limit_of(5, 7) == 5
    assert limit_of(9, 7) == 7
    own = out_of_time(5 * SECOND, 7 * SECOND)
    assert own.failure_class == "resources"
    assert "its limit of 5 s: give it a longer time limit" in own.message
    assert "--max-job-hours" in out_of_time(9 * SECOND, 7 * SECOND).message
    assert "--max-job-hours" in out_of_time(0, 7 * SECOND).message


@pytest.mark.parametrize(
    ("spec", "seconds"),
    [
        (SPEC, 2 * 5 * 3),
        (replace(SPEC, sustain_ns=100 * SECOND), 1000),
        (replace(SPEC, blocks=BlockSchedule(4, SECOND, 0)), 5 * 8),
        (replace(SPEC, blocks=BlockSchedule(400, SECOND, 0)), 5 * 20),  # the policy's maximum
        (replace(SPEC, support_only=True), 0),
    ],
)
def test_what_a_job_takes_at_the_least(spec: JobSpec, seconds: int) -> None:
    assert least_duration_ns(spec) == seconds * SECOND
    check_length(spec, seconds * SECOND)
    if seconds:
        with pytest.raises(SpecInvalid, match="this agent gives one job"):
            check_length(spec, seconds * SECOND - 1)
