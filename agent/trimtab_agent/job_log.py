"""One job's events: numbered, journaled, on the disk before anybody is told."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from trimtab_agent.job_record import JobView, advance
from trimtab_agent.journal import Journal
from trimtab_agent.plain import from_plain, to_plain
from trimtab_agent.records import Event, EventKind, Phase

_VIEW_FILE = "job.json"
_JOURNAL_FILE = "events.jsonl"


class JobLog:
    """``view`` is the job as committed; watchers never see an event that is not on the disk.

    A finished job's journal is opened only when somebody watches it.
    """

    def __init__(
        self, folder: Path, view: JobView, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self.folder = folder
        self.view = view
        self._clock = clock
        self._opened: Journal | None = None
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()

    @staticmethod
    def create(folder: Path, view: JobView) -> JobLog:
        folder.mkdir(parents=True)
        log = JobLog(folder, view)
        log._save()
        return log

    @staticmethod
    def open(folder: Path) -> JobLog:
        """Raises OSError, ValueError, KeyError or TypeError where the files are not a job's."""
        text = (folder / _VIEW_FILE).read_text(encoding="utf-8")
        log = JobLog(folder, from_plain(JobView, json.loads(text)))
        if not log.view.is_terminal:  # its last state stands in the journal only
            for record in log._journal:
                log.view = advance(log.view, from_plain(Event, record))
            if log.view.is_terminal:
                log._save()
        return log

    async def record(
        self, kind: EventKind, arm: str = "", repeat_index: int = 0, phase: Phase | None = None
    ) -> None:
        """Number and journal one event, sync it, then let the watchers have it.

        A cancelled caller leaves at once; the event is committed all the same.
        """
        await asyncio.shield(self._commit(kind, arm, repeat_index, phase))

    async def _commit(
        self, kind: EventKind, arm: str, repeat_index: int, phase: Phase | None
    ) -> None:
        async with self._lock:
            if self.view.is_terminal:  # a cancellation crossed the job's own end
                return
            sequence = self.view.last_sequence + 1
            event = Event(sequence, self._clock(), kind, arm, repeat_index, phase)
            self._journal.append(to_plain(event))
            await asyncio.to_thread(self._journal.sync)
            self.view = advance(self.view, event)
            if self.view.is_terminal:
                self._save()
            self._wake()

    async def follow(self, after_sequence: int) -> AsyncIterator[Event]:
        """Events numbered above ``after_sequence``, until the job's last."""
        position = max(after_sequence, 0)
        while True:
            changed = self._changed
            while position < self.view.last_sequence:
                yield from_plain(Event, self._journal.read(position))
                position += 1
            if self.view.is_terminal:
                return
            if changed is self._changed:
                await changed.wait()

    def acknowledge(self) -> None:
        if not self.view.acknowledged:
            self.view = replace(self.view, acknowledged=True)
            self._save()

    def size_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.folder.iterdir())

    @property
    def _journal(self) -> Journal:
        if self._opened is None:
            self._opened = Journal(self.folder / _JOURNAL_FILE)
        return self._opened

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _save(self) -> None:
        target = self.folder / _VIEW_FILE
        temporary = target.with_suffix(".tmp")
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(to_plain(self.view), file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
