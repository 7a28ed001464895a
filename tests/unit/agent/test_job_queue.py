"""One job at a time, in order, with an end for each whatever happens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.job_log import JobLog
from trimtab_agent.job_queue import JobQueue
from trimtab_agent.job_runner import JobRunner
from trimtab_agent.job_store import STOPPED, JobStore
from trimtab_agent.records import JobFinished, JobSpec, Policy, StateChanged
from trimtab_protos.errors import QueueFull

SPEC = JobSpec((), 1, Policy(1, 1, 1, 1, 1, 1), None, 0, None)


class Gate:
    """Stands where the runner does: each job ends when it is let through."""

    def __init__(self) -> None:
        self.through = asyncio.Semaphore(0)
        self.started: list[str] = []
        self.fault: Exception | None = None

    async def run(self, log: JobLog) -> None:
        self.started.append(log.view.request_id)
        await log.record(StateChanged("preparing"))
        await self.through.acquire()
        if self.fault is not None:
            raise self.fault
        await log.record(JobFinished("succeeded", None, ()))


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "jobs", ArtifactStore(tmp_path / "a"), 10, 10**6)


@pytest.fixture
async def gate() -> Gate:
    return Gate()


@pytest.fixture
def queue(store: JobStore, gate: Gate) -> JobQueue:
    return JobQueue(cast(JobRunner, gate), store, max_pending=2)


def submit(queue: JobQueue, store: JobStore, *names: str) -> list[JobLog]:
    logs = [store.create(name, SPEC) for name in names]
    for log in logs:
        queue.put(log)
    return logs


async def end_of(log: JobLog) -> str:
    async def watch() -> list[Any]:
        return [event async for event in log.follow(0)]

    await asyncio.wait_for(watch(), timeout=10)
    return log.view.state


async def test_jobs_run_one_at_a_time_in_the_order_they_came(
    queue: JobQueue, store: JobStore, gate: Gate
) -> None:
    queue.start()
    first, second = submit(queue, store, "first", "second")
    await anext(first.follow(0))
    await asyncio.sleep(0.05)
    assert gate.started == ["first"]
    assert second.view.state == "pending"
    gate.through.release()
    gate.through.release()
    assert await end_of(second) == "succeeded"
    assert gate.started == ["first", "second"]
    await queue.stop()


async def test_the_queue_has_an_end(queue: JobQueue, store: JobStore) -> None:
    submit(queue, store, "a")
    queue.check_room()
    submit(queue, store, "b")
    with pytest.raises(QueueFull):
        queue.check_room()


async def test_cancelling_ends_waiting_and_running_jobs_and_lets_the_next_run(
    queue: JobQueue, store: JobStore, gate: Gate
) -> None:
    queue.start()
    running, waiting, last = submit(queue, store, "running", "waiting", "last")
    await anext(running.follow(0))
    await queue.cancel(waiting)
    assert waiting.view.state == "cancelled"
    await queue.cancel(running)
    assert await end_of(running) == "cancelled"
    gate.through.release()
    assert await end_of(last) == "succeeded"
    await queue.cancel(last)
    assert last.view.state == "succeeded"
    assert gate.started == ["running", "last"]
    await queue.stop()


async def test_a_fault_of_ours_ends_the_job_as_harness(
    queue: JobQueue, store: JobStore, gate: Gate
) -> None:
    queue.start()
    gate.fault = RuntimeError("the journal's disk is gone")
    gate.through.release()
    (log,) = submit(queue, store, "a")
    assert await end_of(log) == "failed"
    assert log.view.failure is not None
    assert log.view.failure.failure_class == "harness"
    await queue.stop()


async def test_stopping_ends_every_job_as_cut_off(
    queue: JobQueue, store: JobStore, gate: Gate
) -> None:
    queue.start()
    running, waiting = submit(queue, store, "running", "waiting")
    await anext(running.follow(0))
    await queue.stop()
    for log in (running, waiting):
        assert (log.view.state, log.view.failure) == ("failed", STOPPED)
