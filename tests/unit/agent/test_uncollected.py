"""Results that no host has fetched stay for days; where they take all the room, no job comes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.job_log import JobLog
from trimtab_agent.job_record import JobView
from trimtab_agent.job_store import JobStore
from trimtab_agent.journal_bound import JournalFull
from trimtab_agent.records import (
    Arm,
    ArmFinished,
    ArmResult,
    JobFinished,
    JobSpec,
    JobState,
    LogLine,
    Policy,
    SampleBatch,
)
from trimtab_agent.uncollected import WaitingTimes, must_be_collected, whose
from trimtab_protos.errors import StoreFull
from trimtab_protos.failure import Failure

DAY_NS = 24 * 3600 * 10**9
ARM = Arm("a", (), "null", "cpu", 1, "onnx", {}, {})
SPEC = JobSpec((ARM,), 1, Policy(1, 2, 3, 4, 5, 6), None, 0, None)
RESULT = ArmResult("a")
SAMPLES = SampleBatch(tuple(range(100)), tuple(range(100)))


@dataclass
class Clock:
    days: float = 0.0

    def __call__(self) -> int:
        return round(self.days * DAY_NS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make_store(folder: Path, clock: Clock, max_jobs: int = 2, max_bytes: int = 10**6) -> JobStore:
    artifacts = ArtifactStore(folder / "a")
    return JobStore(folder / "jobs", artifacts, max_jobs, max_bytes, 7 * DAY_NS, clock)


async def ended(
    store: JobStore,
    request: str,
    holder: str = "ann@laptop",
    state: JobState = "succeeded",
    failure: Failure | None = None,
    arms: tuple[ArmResult, ...] = (RESULT,),
) -> JobLog:
    log = store.create(request, SPEC, holder)
    await log.record(JobFinished(state, failure, arms))
    store.prune(log)
    return log


async def test_results_that_nobody_fetched_stay_and_fetched_ones_go_for_newer_ones(
    tmp_path: Path, clock: Clock
) -> None:
    store = make_store(tmp_path, clock)
    anns, bens = await ended(store, "1"), await ended(store, "2", "ben@desk")
    bens.acknowledge()
    newer = [await ended(store, "3", "ben@desk"), await ended(store, "4", "ben@desk")]
    assert list(store) == [anns, *newer]
    assert [event.sequence async for event in anns.follow(0)] == [1]


async def test_a_job_does_not_vanish_at_its_end_by_its_own_size(
    tmp_path: Path, clock: Clock
) -> None:
    store = make_store(tmp_path, clock, max_bytes=1)
    log = await ended(store, "1")
    nothing = await ended(store, "2", state="cancelled", arms=())
    assert list(store) == [log, nothing]  # whose watchers are still to hear of its end
    store.prune()
    assert list(store) == [log]


async def test_where_they_take_all_the_room_jobs_are_refused_until_one_is_fetched(
    tmp_path: Path, clock: Clock
) -> None:
    store = make_store(tmp_path, clock)
    anns = await ended(store, "1")
    store.check_room()
    await ended(store, "2", "ben@desk")
    clock.days += 2
    with pytest.raises(StoreFull) as full:
        store.check_room()
    assert "\n" not in full.value.message
    for part in (
        "the results of 2 jobs (",
        "1 of ann@laptop, 1 of ben@desk",
        "`trimtab run --resume`",
        "wait 5.0 days",
        f"remove {tmp_path / 'jobs'}",
    ):
        assert part in full.value.message
    anns.acknowledge()
    store.check_room()


async def test_their_size_counts_as_well(tmp_path: Path, clock: Clock) -> None:
    store = make_store(tmp_path, clock, max_jobs=10, max_bytes=100)
    log = await ended(store, "1")
    with pytest.raises(StoreFull, match=r"results of 1 job \(0\.0 MB\)"):
        store.check_room()
    log.acknowledge()
    store.check_room()


async def test_after_days_they_may_go_for_newer_ones_and_the_log_says_so(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_store(tmp_path, clock)
    oldest, other = await ended(store, "1"), await ended(store, "2")
    clock.days += 7.5
    store.check_room()
    store.prune()
    assert list(store) == [oldest, other]  # nothing newer needs the room
    assert "dropped" not in caplog.text
    newest = await ended(store, "3")
    assert list(store) == [other, newest]
    line = f"job {oldest.view.job_id} of ann@laptop is dropped for newer ones: nobody fetched"
    assert f"{line} its results in 7.5 days" in caplog.text


async def test_fetched_ones_go_before_those_that_waited_too_long(
    tmp_path: Path, clock: Clock
) -> None:
    store = make_store(tmp_path, clock)
    waited, fetched = await ended(store, "1"), await ended(store, "2")
    clock.days += 8
    fetched.acknowledge()
    newest = await ended(store, "3")
    assert list(store) == [waited, newest]


async def test_the_next_agent_goes_on_counting_and_the_time_without_one_is_none(
    tmp_path: Path, clock: Clock
) -> None:
    store = make_store(tmp_path, clock, max_jobs=1)
    await ended(store, "1")
    clock.days += 4
    store.keep_times()
    clock.days = 1000  # another boot: such a clock begins anew
    store = make_store(tmp_path, clock, max_jobs=1)
    clock.days += 2.9
    with pytest.raises(StoreFull, match=r"wait 0\.1 days"):
        store.check_room()
    clock.days += 0.2
    store.check_room()


def test_times_that_were_damaged_begin_anew(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "t"
    times = WaitingTimes(path, clock)
    times.note(["a"])
    clock.days = 3
    times.note(["a"])
    assert WaitingTimes(path, clock).of_ns("a") == 3 * DAY_NS
    path.write_bytes(path.read_bytes().replace(b"a", b"b"))
    assert WaitingTimes(path, clock).of_ns("a") == 0
    assert "results wait anew" in caplog.text


VIEW = JobView("000001-ab", "r", SPEC, 1, "succeeded", arms=(RESULT,))
DEVICE, MODEL = Failure("device", "rebooted"), Failure("model", "no")
DISK = Failure("resources", "the device's disk is full: free some room")


@pytest.mark.parametrize(
    ("view", "must"),
    [
        (VIEW, True),
        (replace(VIEW, state="measuring"), False),
        (replace(VIEW, acknowledged=True), False),
        (replace(VIEW, spec=replace(SPEC, support_only=True)), False),
        (replace(VIEW, state="cancelled"), True),
        (replace(VIEW, state="cancelled", arms=()), False),
        (replace(VIEW, state="failed", failure=DEVICE), True),
        (replace(VIEW, state="failed", failure=DEVICE, arms=()), False),
        (replace(VIEW, state="failed", failure=DISK, arms=()), False),
        (replace(VIEW, state="failed", failure=MODEL, arms=()), True),
    ],
)
def test_what_somebody_has_to_fetch(view: JobView, must: bool) -> None:
    assert must_be_collected(view) is must


def test_few_holders_are_named() -> None:
    holders = ["a"] * 4 + ["b"] * 3 + ["c"] * 2 + ["d", ""]
    named = whose(replace(VIEW, holder=holder) for holder in holders)
    assert named == "4 of a, 3 of b, 2 of c, 2 of others"
    assert whose([replace(VIEW, holder="")]) == "1 of nobody named"


async def test_a_job_writes_no_more_measurements_than_its_bound_and_still_its_end(
    tmp_path: Path, clock: Clock
) -> None:
    log = make_store(tmp_path, clock, max_bytes=2000).create("r", SPEC)
    taken = 0
    while not taken or (log.folder / "events.jsonl").stat().st_size < 2000:
        await log.record(SAMPLES)
        taken += 1
    with pytest.raises(JournalFull, match=r"0\.002 MB of samples") as full:
        await log.record(SAMPLES)
    assert full.value.failure.failure_class == "resources"
    with pytest.raises(JournalFull):
        log.check_bound()
    await log.record(LogLine("info", "the rest is told"))
    failed = replace(RESULT, failure=full.value.failure)
    await log.record(ArmFinished(failed))
    await log.record(JobFinished("failed", failed.failure, (failed,)))
    events = [event.kind async for event in log.follow(0)]
    assert events[:taken] == [SAMPLES] * taken
    assert 0 < taken < 10
    assert log.view.arms == (failed,)
    assert await asyncio.to_thread(JobLog.open, log.folder)
