"""A journal on a full disk: nothing torn stays in it, and a job's end is written all the same."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from trimtab_agent.job_log import JobLog
from trimtab_agent.job_record import JobView
from trimtab_agent.journal import Journal
from trimtab_agent.last_room import LastRoom
from trimtab_agent.records import Arm, JobFinished, JobSpec, LogLine, Policy

SPEC = JobSpec(
    (Arm("a", (), "null", "cpu", 1, "onnx", {}, {}),), 1, Policy(1, 2, 3, 4, 5, 6), None, 0, None
)


class _FullDisk:
    """Takes half of what is written while there is no last room to be given up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, last_room: Path) -> None:
        self._last_room = last_room
        self._open = Path.open
        monkeypatch.setattr(Path, "open", lambda path, *args, **kw: self.open(path, *args, **kw))

    def open(self, path: Path, mode: str = "r", *args: Any, **kw: Any) -> Any:
        file = self._open(path, mode, *args, **kw)
        if mode == "ab" and self._last_room.exists():
            return _Torn(file)
        return file


class _Torn:
    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> _Torn:
        return self

    def __exit__(self, *args: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> int:
        self._file.write(data[: len(data) // 2])
        self._file.flush()
        raise OSError(errno.ENOSPC, "No space left on device")

    def fileno(self) -> int:
        number: int = self._file.fileno()
        return number


def test_a_record_that_does_not_fit_leaves_nothing_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "j")
    journal.append({"a": 1})
    mark = tmp_path / "no room"
    mark.touch()
    _FullDisk(monkeypatch, mark)
    with pytest.raises(OSError, match="No space"):
        journal.append({"b": 2})
    mark.unlink()
    journal.append({"c": 3})
    assert list(journal) == list(Journal(tmp_path / "j")) == [{"a": 1}, {"c": 3}]


async def test_the_end_of_a_job_is_written_into_the_last_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = JobLog.create(tmp_path / "jobs" / "000001-ab", JobView("000001-ab", "r", SPEC, 1))
    last_room = tmp_path / "jobs" / "last-room"
    assert last_room.stat().st_size > 1_000_000
    await log.record(LogLine("info", "begun"))
    _FullDisk(monkeypatch, last_room)
    with pytest.raises(OSError, match="No space"):
        await log.record(LogLine("info", "does not fit"))
    await log.record(JobFinished("failed", None, ()))
    assert not last_room.exists()
    monkeypatch.undo()
    events = [event async for event in JobLog.open(log.folder).follow(0)]
    assert [type(event.kind) for event in events] == [LogLine, JobFinished]


def test_last_room_is_kept_again_once_there_is_some(tmp_path: Path) -> None:
    room = LastRoom(tmp_path / "r")
    room.keep()
    size = (tmp_path / "r").stat().st_size
    room.give()
    room.give()
    assert not (tmp_path / "r").exists()
    room.keep()
    assert (tmp_path / "r").stat().st_size == size
