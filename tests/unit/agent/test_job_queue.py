"""One job at a time, in order, with an end for each whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.job_log import JobLog
from trimtab_agent.job_queue import JobQueue
from trimtab_agent.job_runner import JobRunner
from trimtab_agent.job_store import STOPPED, JobStore
from trimtab_agent.journal import Journal
from trimtab_agent.leases import Ask, LeaseBook, LeaseDesk
from trimtab_agent.leases.records import SECOND_NS
from trimtab_agent.records import JobFinished, JobSpec, Policy, StateChanged
from trimtab_protos.errors import QueueFull

SPEC = JobSpec((), 1, Policy(1, 1, 1, 1, 1, 1), None, 0, None)


class Gate:
    """Stands where the runner does: each job ends when it is let through."""

    def __init__(self) -> None:
        self.through = asyncio.Semaphore(0)
        self.started: list[str] = []
        self.fault: Exception | None = None
        self.tidied = 0

    def tidy_up(self) -> None:
        self.tidied += 1

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
    return make_queue(gate, store, LeaseBook(time.monotonic_ns))


def make_queue(gate: Gate, store: JobStore, book: LeaseBook, room: int = 2) -> JobQueue:
    return JobQueue(cast(JobRunner, gate), store, room, LeaseDesk(book))


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
    queue: JobQueue, store: JobStore, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "trimtab_agent.job_queue")
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
    assert caplog.messages == ["ended: cancelled"] * 2  # the runner tells the others' ends
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


async def test_what_nobody_expected_ends_its_job_and_not_the_queue(
    queue: JobQueue,
    store: JobStore,
    gate: Gate,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("trimtab_agent.job_queue._RETRY_S", 0.01)
    conclude, faults = queue._conclude, [RuntimeError("a bug of ours")]

    async def failing_once(log: JobLog, task: asyncio.Task[None]) -> None:
        if faults:
            raise faults.pop()
        await conclude(log, task)

    async def dies(log: JobLog) -> None:
        raise ValueError

    monkeypatch.setattr(queue, "_conclude", failing_once)
    monkeypatch.setattr(gate, "run", dies)
    queue.start()
    first, second = submit(queue, store, "first", "second")
    assert [await end_of(log) for log in (first, second)] == ["failed", "failed"]
    assert "a bug of ours" in caplog.text
    assert queue.running is None
    await queue.stop()


@pytest.mark.parametrize("fault", [OSError(5, "Input/output error"), RuntimeError("a bug")])
async def test_a_store_that_fails_to_prune_does_not_end_the_queue(
    queue: JobQueue,
    store: JobStore,
    gate: Gate,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
) -> None:
    def refuse(*_: Any) -> None:
        raise fault

    monkeypatch.setattr("trimtab_agent.job_queue._RETRY_S", 0.01)
    monkeypatch.setattr(store, "prune", refuse)
    queue.start()
    gate.through.release()
    gate.through.release()
    logs = submit(queue, store, "first", "second")
    assert [await end_of(log) for log in logs] == ["succeeded", "succeeded"]
    await queue.stop()


async def test_on_a_disk_that_keeps_no_end_watchers_are_told_and_the_next_job_waits(
    queue: JobQueue, store: JobStore, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab_agent.job_queue._RETRY_S", 0.01)
    monkeypatch.setattr("trimtab_agent.job_queue._DISK_TRIES", 1000)
    queue.start()
    first, second = submit(queue, store, "first", "second")
    await anext(first.follow(0))

    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Journal, "append", refuse)
        full.setattr(JobLog, "_save", refuse)
        gate.through.release()
        assert await end_of(first) == "succeeded"
        await asyncio.sleep(0.1)
        assert gate.started == ["first"]
    gate.through.release()
    assert await end_of(second) == "succeeded"
    await queue.stop()


TTL = 30 * SECOND_NS
ANN = Ask("", "request", "ann")


class Device:
    """A queue with its book of leases, whose clock stands still until it is set."""

    def __init__(self, gate: Gate, store: JobStore) -> None:
        self.now = 0
        self.book = LeaseBook(lambda: self.now)
        self.gate = gate
        self.store = store
        self.queue = make_queue(gate, store, self.book, room=20)

    def put(self, name: str, lease_id: str = "") -> JobLog:
        """The job ``ann 2`` is ann's."""
        log = self.store.create(name, SPEC, name.split()[0])
        self.queue.put(log, lease_id)
        return log

    async def course(self, last: JobLog) -> list[str]:
        for _ in range(20):
            self.gate.through.release()
        await end_of(last)
        return self.gate.started

    async def has_started(self, log: JobLog) -> None:
        await anext(log.follow(0))


@pytest.fixture
async def device(gate: Gate, store: JobStore) -> AsyncIterator[Device]:
    made = Device(gate, store)
    made.queue.start()
    yield made
    await made.queue.stop()


async def test_holders_without_a_lease_take_turns(device: Device) -> None:
    await device.has_started(device.put("ann 1"))
    waiting = [device.put(name) for name in ("ann 2", "ann 3", "ben 1", "ben 2", "cid 1")]
    expected = ["ben 1", "cid 1", "ann 2", "ben 2", "ann 3"]
    positions = {log.view.request_id: device.queue.position(log) for log in waiting}
    assert positions == {name: place for place, name in enumerate(expected, 1)}
    assert [log.view.request_id for log in device.queue.pending()] == expected
    assert await device.course(waiting[1]) == ["ann 1", *expected]


async def test_jobs_of_the_lease_run_and_the_others_wait_for_its_end(device: Device) -> None:
    lease = device.book.acquire(ANN, TTL)
    free = device.put("ben 1")
    assert device.queue.position(free) == 1  # the lease
    leased = device.put("ann 1", lease.lease_id)
    await device.has_started(leased)
    assert device.queue.position(free) == 1  # the job
    device.gate.through.release()
    await end_of(leased)
    await asyncio.sleep(0.05)
    assert device.gate.started == ["ann 1"]
    device.queue._leases.release(lease.lease_id)
    assert await device.course(free) == ["ann 1", "ben 1"]


async def test_a_job_whose_lease_has_expired_waits_on_without_one(device: Device) -> None:
    lease = device.book.acquire(ANN, TTL)
    await device.has_started(device.put("ann 1", lease.lease_id))
    second = device.put("ann 2", lease.lease_id)
    device.put("ben 1")
    assert device.queue.position(second) == 1
    device.now = TTL
    assert device.queue.position(second) == 2  # the job that runs, and ben's
    assert await device.course(second) == ["ann 1", "ben 1", "ann 2"]


async def test_an_expiry_that_nobody_speaks_of_frees_the_device(
    gate: Gate, store: JobStore
) -> None:
    book = LeaseBook(time.monotonic_ns)
    queue = make_queue(gate, store, book)
    queue.start()
    book.acquire(ANN, SECOND_NS)
    (log,) = submit(queue, store, "without a lease")
    await asyncio.sleep(0.3)
    assert gate.started == []
    gate.through.release()
    assert await end_of(log) == "succeeded"
    await queue.stop()


async def test_jobs_without_a_lease_leave_room_to_who_holds_one(
    gate: Gate, store: JobStore
) -> None:
    book = LeaseBook(lambda: 0)
    queue = make_queue(gate, store, book)
    lease = book.acquire(ANN, TTL)
    submit(queue, store, "a", "b")
    with pytest.raises(QueueFull):
        queue.check_room()
    queue.check_room(lease.lease_id)


async def test_the_device_is_tidied_up_after_each_job(queue: JobQueue, gate: Gate) -> None:
    store = queue._store
    queue.start()
    for name in ("a", "b"):
        queue.put(store.create(name, SPEC))
        gate.through.release()
    async with asyncio.timeout(5):
        while gate.tidied < 2:  # noqa: ASYNC110 - of the queue's own task
            await asyncio.sleep(0.01)
    await queue.stop()
