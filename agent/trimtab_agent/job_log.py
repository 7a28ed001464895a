"""One job's events: numbered, journaled, on the disk before anybody is told."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from trimtab_protos.checked_lines import decode_record, encode_record
from trimtab_protos.errors import EventsTrimmed

from trimtab_agent.job_record import JobView, advance
from trimtab_agent.journal import Journal
from trimtab_agent.last_room import LastRoom
from trimtab_agent.plain import from_plain, to_plain
from trimtab_agent.records import Event, EventKind, JobFinished, Phase

_VIEW_FILE = "job.json"
_JOURNAL_FILE = "events.jsonl"
_LAST_ROOM_FILE = "last-room"
_LOG = logging.getLogger(__name__)


class JobLog:
    """``view`` is the job as committed; watchers never see an event that is not on the disk.

    A finished job's journal is opened only when somebody watches it.
    """

    def __init__(
        self,
        folder: Path,
        view: JobView,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.folder = folder
        self._last_room = LastRoom(folder.parent / _LAST_ROOM_FILE)
        self.view = view
        self._clock = clock
        self._opened: Journal | None = None
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()

    @staticmethod
    def create(folder: Path, view: JobView) -> JobLog:
        """Raises OSError where the disk is full; nothing is left of it then."""
        log = JobLog(folder, view)
        try:
            folder.mkdir(parents=True)
            log._last_room.keep()
            log._save()
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return log

    @staticmethod
    def open(folder: Path) -> JobLog:
        """Raises OSError, ValueError, KeyError or TypeError where the files are not a job's."""
        log = JobLog(folder, _read_view(folder / _VIEW_FILE))
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
            await self._write(event)
            self.view = advance(self.view, event)
            if self.view.is_terminal:
                self._save_or_leave_it()
            self._wake()

    async def _write(self, event: Event) -> None:
        """Raises OSError where the disk is full: never for a job's end, unless it stays so."""
        try:
            self._journal.append(to_plain(event))
        except OSError:
            if not isinstance(event.kind, JobFinished):
                raise
            self._last_room.give()
            self._journal.append(to_plain(event))
        await asyncio.to_thread(self._journal.sync)

    async def follow(self, after_sequence: int) -> AsyncIterator[Event]:
        """Events numbered above ``after_sequence``, until the job's last.

        Raises EventsTrimmed where the disk has lost some of them.
        """
        position = max(after_sequence, 0)
        while True:
            changed = self._changed
            while position < self.view.last_sequence:
                yield self._event(position)
                position += 1
            if self.view.is_terminal:
                if position > self.view.last_sequence:  # the watcher knows more of the job
                    raise self._trimmed()
                return
            if changed is self._changed:
                await changed.wait()

    def _event(self, position: int) -> Event:
        try:
            return from_plain(Event, self._journal.read(position))
        except (IndexError, ValueError) as error:
            raise self._trimmed() from error

    def _trimmed(self) -> EventsTrimmed:
        return EventsTrimmed(
            f"the device's disk has lost events of job {self.view.job_id}",
            first_sequence=str(self.view.last_sequence + 1),
        )

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

    def _save_or_leave_it(self) -> None:
        """The journal holds a job's end, too: whoever opens the job next finds it there."""
        try:
            self._save()
        except OSError as error:
            _LOG.warning("%s: not written anew: %s", self.folder / _VIEW_FILE, error)

    def _save(self) -> None:
        target = self.folder / _VIEW_FILE
        temporary = target.with_suffix(".tmp")
        try:
            with temporary.open("wb") as file:
                file.write(encode_record(to_plain(self.view)))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


def _read_view(path: Path) -> JobView:
    """Raises OSError, ValueError, KeyError or TypeError. An earlier release wrote no checksum."""
    data = path.read_bytes()
    plain = json.loads(data) if data.startswith(b"{") else decode_record(data)
    return from_plain(JobView, plain)
