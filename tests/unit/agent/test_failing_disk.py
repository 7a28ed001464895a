"""A disk that takes nothing for a while: jobs stay known, and their watchers get an end."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.job_log import JobLog
from trimtab_agent.job_store import JobStore
from trimtab_agent.journal import Journal
from trimtab_agent.records import Event, JobFinished, JobSpec, LogLine, Policy

SPEC = JobSpec((), 1, Policy(1, 1, 1, 1, 1, 1), None, 0, None)
END = JobFinished("succeeded", None, ())
BEGUN = LogLine("info", "begun")


def make_store(tmp_path: Path, max_jobs: int = 10) -> JobStore:
    return JobStore(tmp_path / "jobs", ArtifactStore(tmp_path / "a"), max_jobs, 10**6)


def refuse(*_: Any, **__: Any) -> Any:
    raise OSError(errno.EIO, "Input/output error")


async def events_of(log: JobLog) -> list[Event]:
    async def watch() -> list[Event]:
        return [event async for event in log.follow(0)]

    return await asyncio.wait_for(watch(), timeout=10)


async def ended(store: JobStore, name: str = "r") -> JobLog:
    log = store.create(name, SPEC)
    await log.record(END)
    return log


async def test_a_finished_job_is_known_to_the_next_agent_though_the_disk_is_still_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = make_store(tmp_path).create("r", SPEC)
    await log.record(BEGUN)
    monkeypatch.setattr(JobLog, "_save", refuse)
    await log.record(END)
    again = make_store(tmp_path).by_request("r")
    assert again is not None
    assert again.view == log.view


async def test_an_event_that_is_not_synced_leaves_its_number_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = make_store(tmp_path).create("r", SPEC)
    await log.record(BEGUN)
    with monkeypatch.context() as broken:
        broken.setattr(Journal, "sync", refuse)
        with pytest.raises(OSError, match="Input/output"):
            await log.record(LogLine("info", "lost"))
    await log.record(END)
    told = await events_of(log)
    assert [(event.sequence, event.kind) for event in told] == [(1, BEGUN), (2, END)]
    assert await events_of(JobLog.open(log.folder)) == told
    assert len(Journal(log.folder / "events.jsonl")) == 2


async def test_a_record_that_cannot_be_cut_off_goes_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "j")
    journal.append({"a": 1})
    with monkeypatch.context() as broken:
        broken.setattr(os, "truncate", refuse)
        journal.append({"b": 2})
        journal.take_back()
    journal.append({"c": 3})
    assert list(journal) == list(Journal(tmp_path / "j")) == [{"a": 1}, {"c": 3}]


async def test_an_end_that_only_the_sync_had_no_room_for_is_written_into_the_last_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = make_store(tmp_path).create("r", SPEC)
    last_room, sync = tmp_path / "jobs" / "last-room", Journal.sync

    def full(journal: Journal) -> None:
        if last_room.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(journal)

    monkeypatch.setattr(Journal, "sync", full)
    with pytest.raises(OSError, match="No space"):
        await log.record(BEGUN)
    await log.record(END)
    records = list(Journal(log.folder / "events.jsonl"))
    assert [record["sequence"] for record in records] == [1]
    assert [event.kind for event in await events_of(log)] == [END]


@pytest.mark.parametrize("failing", ["append", "sync"])
async def test_an_end_that_the_journal_never_takes_is_told_and_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    log = make_store(tmp_path).create("r", SPEC)
    await log.record(BEGUN)
    watching = asyncio.create_task(events_of(log))
    await asyncio.sleep(0)
    monkeypatch.setattr(Journal, failing, refuse)
    await log.record(END)
    told = await watching
    assert [(event.sequence, event.kind) for event in told] == [(1, BEGUN), (2, END)]
    again = make_store(tmp_path).get(log.view.job_id)
    assert again.view == log.view
    assert await events_of(again) == told


async def test_an_end_that_nothing_takes_is_told_and_saved_once_there_is_a_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path)
    log = store.create("r", SPEC)
    with monkeypatch.context() as broken:
        broken.setattr(Journal, "sync", refuse)
        broken.setattr(JobLog, "_save", refuse)
        await log.record(END)
        assert [event.kind for event in await events_of(log)] == [END]
        assert not store.catch_up()
    assert store.catch_up()
    assert make_store(tmp_path).get(log.view.job_id).view == log.view


async def test_jobs_left_unfinished_on_a_full_disk_do_not_keep_the_agent_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_store(tmp_path).create("r", SPEC)
    monkeypatch.setattr(Journal, "append", refuse)
    monkeypatch.setattr(JobLog, "_save", refuse)
    store = make_store(tmp_path)
    await store.recover()
    assert [log.view.state for log in store] == ["failed"]


async def test_an_acknowledgement_that_cannot_be_saved_counts_and_is_saved_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path)
    log = await ended(store)
    with monkeypatch.context() as broken:
        broken.setattr(JobLog, "_save", refuse)
        log.acknowledge()
    assert log.view.acknowledged
    assert not make_store(tmp_path).get(log.view.job_id).view.acknowledged
    store.prune()
    assert make_store(tmp_path).get(log.view.job_id).view.acknowledged


async def test_a_job_that_the_disk_does_not_let_go_is_dropped_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_store(tmp_path, max_jobs=1)
    oldest, newest = await ended(store, "1"), await ended(store, "2")
    oldest.acknowledge()
    with monkeypatch.context() as broken:
        broken.setattr(shutil, "rmtree", refuse)
        store.prune()
    assert f"job {oldest.view.job_id} is not dropped whole" in caplog.text
    assert list(store) == [oldest, newest]
    store.prune()
    assert list(store) == [newest]
    assert not oldest.folder.exists()
