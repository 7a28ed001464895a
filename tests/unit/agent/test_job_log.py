"""Events are numbered, on the disk before anybody sees them, and read back as they were."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest
from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.job_log import JobLog
from trimtab_agent.job_record import JobView
from trimtab_agent.job_store import STOPPED, JobStore
from trimtab_agent.journal import Journal
from trimtab_agent.records import (
    Arm,
    ArmFinished,
    ArmResult,
    Check,
    Event,
    EventKind,
    FileRef,
    JobFinished,
    JobSpec,
    LogLine,
    MemoryUse,
    PhaseStarted,
    Policy,
    SampleBatch,
    SensorBatch,
    StateChanged,
    TensorInfo,
)
from trimtab_protos.digest import digest_bytes
from trimtab_protos.errors import EventsTrimmed, JobUnknown
from trimtab_protos.failure import Failure

DIGEST = digest_bytes(b"model")
ARM = Arm(
    "a",
    (FileRef("m.onnx", DIGEST),),
    "null",
    "cpu",
    1,
    "onnx",
    {"key": "value"},
    {"x": (1, 2)},
)
SPEC = JobSpec(
    (ARM,), 2, Policy(1, 2, 3, 4, 5, 6), None, 0, None, rate_hz=29.97, profile_operators=True
)
RESULT = ArmResult(
    "a",
    checks=(Check("MIN_SAMPLES", "passed", True, ("latency",), "all"),),
    sample_count=2,
    load_duration_ns=(5,),
    memory=MemoryUse(peak_bytes=7),
    conditions={"governor": "performance"},
    inputs=(TensorInfo("x", "float32", (1, -1)),),
    evaluation_outputs=DIGEST,
    evaluation_failure=Failure("model", "no"),
)
KINDS: tuple[EventKind, ...] = (
    StateChanged("preparing"),
    PhaseStarted(2),
    SampleBatch((1, 2), (3, 4)),
    SensorBatch("temperature_c", (1, 2), (50.0, 51.5)),
    MemoryUse(model_bytes=9),
    LogLine("info", "ü"),
    ArmFinished(RESULT),
    JobFinished("succeeded", None, (RESULT,)),
)


def make_store(tmp_path: Path, max_jobs: int = 10, max_bytes: int = 10**6) -> JobStore:
    return JobStore(tmp_path / "jobs", ArtifactStore(tmp_path / "a"), max_jobs, max_bytes)


async def ended(store: JobStore, request: str = "r", result: ArmResult = RESULT) -> JobLog:
    log = store.create(request, SPEC)
    await log.record(JobFinished("succeeded", None, (result,)))
    return log


async def test_watchers_get_every_event_once_and_in_order(tmp_path: Path) -> None:
    log = make_store(tmp_path).create("r", SPEC)

    async def watch(after: int) -> list[Event]:
        return [event async for event in log.follow(after)]

    watchers = [asyncio.create_task(watch(after)) for after in (0, 3)]
    await asyncio.sleep(0)
    for kind in KINDS:
        await log.record(kind, "a", 1, "measure")
    everything, later = await asyncio.wait_for(asyncio.gather(*watchers), timeout=10)
    assert [event.kind for event in everything] == list(KINDS)
    assert [event.sequence for event in everything] == list(range(1, len(KINDS) + 1))
    assert later == everything[3:]
    assert await watch(0) == everything
    assert await watch(len(KINDS)) == []
    with pytest.raises(EventsTrimmed):  # such events the device does not have (any more)
        await watch(99)


async def test_an_event_is_on_the_disk_before_it_is_seen(tmp_path: Path) -> None:
    log = make_store(tmp_path).create("r", SPEC)
    await log.record(KINDS[0])
    first = await anext(log.follow(0))
    (record,) = Journal(log.folder / "events.jsonl")
    assert record["sequence"] == first.sequence == 1


async def test_a_cancelled_writer_leaves_no_gap(tmp_path: Path) -> None:
    log = make_store(tmp_path).create("r", SPEC)
    writer = asyncio.create_task(log.record(KINDS[0]))
    await asyncio.sleep(0)
    writer.cancel()
    await asyncio.gather(writer, return_exceptions=True)
    await log.record(JobFinished("cancelled", None, ()))
    await log.record(LogLine("info", "too late: the job has ended"))
    assert [event.sequence async for event in log.follow(0)] == [1, 2]
    assert log.view.state == "cancelled"


async def test_a_finished_job_is_read_back_as_it_was(tmp_path: Path) -> None:
    log = make_store(tmp_path).create("r", SPEC)
    for kind in KINDS:
        await log.record(kind)
    again = make_store(tmp_path).get(log.view.job_id)
    assert again.view == log.view
    assert again.view.arms == (RESULT,)
    assert again.view.start_time_ns is not None
    assert [event.kind async for event in again.follow(0)] == list(KINDS)


async def test_an_unfinished_job_is_ended_by_the_next_agent(tmp_path: Path) -> None:
    log = make_store(tmp_path).create("r", SPEC)
    for kind in KINDS[:-1]:
        await log.record(kind)
    journal = log.folder / "events.jsonl"
    journal.write_bytes(journal.read_bytes() + b"torn")
    store = make_store(tmp_path)
    await store.recover()
    again = store.get(log.view.job_id)
    assert (again.view.state, again.view.failure) == ("failed", STOPPED)
    assert again.view.arms == (RESULT,)
    assert again.view.last_sequence == len(KINDS)
    assert store.by_request("r") is again


@pytest.mark.parametrize("damage", ["torn", "flipped", "garbage"])
async def test_a_job_whose_journal_was_damaged_goes_as_far_as_it_is_whole(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    log = make_store(tmp_path).create("r", SPEC)
    for kind in KINDS[:-1]:
        await log.record(kind)
    journal = log.folder / "events.jsonl"
    whole = journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    left = {"torn": len(lines) - 1, "flipped": 3, "garbage": len(lines)}[damage]
    flipped = bytearray(whole)
    flipped[len(b"".join(lines[:3])) + 20] ^= 4
    journal.write_bytes(
        {"torn": whole[:-5], "flipped": bytes(flipped), "garbage": whole + b"\0" * 99}[damage]
    )

    reopened = make_store(tmp_path)
    assert f"bytes after record {left}, which are torn or damaged" in caplog.text
    await reopened.recover()
    (job,) = reopened
    events = [event async for event in job.follow(0)]
    assert [event.kind for event in events[:left]] == list(KINDS[:left])
    assert [event.sequence for event in events] == list(range(1, left + 2))
    assert isinstance(events[-1].kind, JobFinished)
    assert events[-1].kind.failure == STOPPED


async def test_acknowledged_jobs_go_first_and_take_their_outputs_along(tmp_path: Path) -> None:
    artifacts = ArtifactStore(tmp_path / "a")
    (tmp_path / "out").write_text("outputs")
    digest = artifacts.add_file(tmp_path / "out")
    store = JobStore(tmp_path / "jobs", artifacts, 2, 10**6)
    oldest = await ended(store, "1", ArmResult("a"))
    (tmp_path / "profile").write_text("profile")
    profile = artifacts.add_file(tmp_path / "profile")
    made = ArmResult("a", evaluation_outputs=digest, operator_profile=profile)
    second = await ended(store, "2", made)
    store.prune()
    second.acknowledge()
    newest = await ended(store, "3", ArmResult("a"))
    store.prune()
    assert list(store) == [oldest, newest]
    assert not artifacts.has(digest)
    assert not artifacts.has(profile)
    with pytest.raises(JobUnknown):
        store.get(second.view.job_id)
    assert [log.view.job_id for log in make_store(tmp_path)] == [
        oldest.view.job_id,
        newest.view.job_id,
    ]


async def test_kept_jobs_are_bounded_in_bytes_and_running_ones_stay(tmp_path: Path) -> None:
    store = make_store(tmp_path, max_bytes=1)
    running = store.create("running", SPEC)
    (await ended(store, "done")).acknowledge()
    store.prune()
    assert list(store) == [running]


def test_a_folder_that_is_no_job_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "jobs" / "000001-broken"
    folder.mkdir(parents=True)
    (folder / "job.json").write_text("{")
    assert list(make_store(tmp_path)) == []
    assert folder.exists()
    assert "left alone" in caplog.text


def test_an_older_agents_job_is_read_with_the_defaults_of_now(tmp_path: Path) -> None:
    view = JobView("000001-ab", "r", SPEC, 5, "failed")
    log = JobLog.create(tmp_path / "000001-ab", view)
    text = (log.folder / "job.json").read_text().partition(" ")[2]
    (log.folder / "job.json").write_text(text.replace('"acknowledged"', '"of_a_later_release"'))
    assert JobLog.open(log.folder).view == view


def test_a_jobs_file_that_was_damaged_is_not_believed(tmp_path: Path) -> None:
    folder = tmp_path / "000001-ab"
    JobLog.create(folder, JobView("000001-ab", "r", SPEC, 5, "failed"))
    data = (folder / "job.json").read_bytes()
    (folder / "job.json").write_bytes(data.replace(b'"failed"', b'"fa1led"'))
    with pytest.raises(ValueError, match="checksum"):
        JobLog.open(folder)


async def test_events_that_the_disk_lost_are_not_passed_over(tmp_path: Path) -> None:
    log = make_store(tmp_path).create("r", SPEC)
    for kind in KINDS:
        await log.record(kind)
    journal = log.folder / "events.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:3]))
    watched = JobLog.open(log.folder).follow(0)
    assert [(await anext(watched)).sequence for _ in range(3)] == [1, 2, 3]
    with pytest.raises(EventsTrimmed) as lost:
        await anext(watched)
    assert lost.value.metadata["first_sequence"] == str(len(KINDS) + 1)


async def test_a_device_out_of_descriptors_has_lost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the host would take a finished job for one that is gone, and measure it again."""
    log = make_store(tmp_path).create("r", SPEC)
    for kind in KINDS:
        await log.record(kind)
    with monkeypatch.context() as without:
        without.setattr(Journal, "read", _out_of_descriptors)
        with pytest.raises(OSError, match="Too many open files"):
            await anext(log.follow(0))
    assert (await anext(log.follow(0))).sequence == 1


def _out_of_descriptors(journal: Journal, index: int) -> None:
    raise OSError(errno.EMFILE, "Too many open files")
