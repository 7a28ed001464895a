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
from trimtab_protos.digest import Digest
from trimtab_protos.errors import EventsTrimmed

from trimtab_agent.config import MAX_KEPT_BYTES
from trimtab_agent.job_record import JobView, advance
from trimtab_agent.journal import Journal
from trimtab_agent.journal_bound import JournalFull, is_bounded
from trimtab_agent.last_room import LastRoom
from trimtab_agent.plain import from_plain, to_plain
from trimtab_agent.records import Event, EventKind, JobFinished, Phase

_VIEW_FILE = "job.json"
_JOURNAL_FILE = "events.jsonl"
_LAST_ROOM_FILE = "last-room"
_LOG = logging.getLogger(__name__)


class JobLog:
    """``view`` is the job as committed; watchers never see an event that is not on the disk, but
    for the end of a job whose disk takes nothing any more.

    ``claimed``: artifacts that the job made so far, while it runs; ``is_saved``: whether the disk
    has the view; ``max_bytes``: of the journal. A finished job's journal is opened only when
    somebody watches it.
    """

    def __init__(
        self,
        folder: Path,
        view: JobView,
        clock: Callable[[], int] = time.time_ns,
        max_bytes: int = MAX_KEPT_BYTES,
    ) -> None:
        self.folder = folder
        self._last_room = LastRoom(folder.parent / _LAST_ROOM_FILE)
        self.view = view
        self.claimed: frozenset[Digest] = frozenset()
        self.is_saved = True
        self._clock = clock
        self._max_bytes = max_bytes
        self._opened: Journal | None = None
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()

    @staticmethod
    def create(folder: Path, view: JobView, max_bytes: int = MAX_KEPT_BYTES) -> JobLog:
        """Raises OSError where the disk is full; nothing is left of it then."""
        log = JobLog(folder, view, max_bytes=max_bytes)
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
                log.save_if_possible()
        return log

    def claim(self, digest: Digest) -> None:
        """No result names it yet; it stays all the same until the job ends."""
        self.claimed |= {digest}

    def check_bound(self) -> None:
        """Raises JournalFull where nothing more that is measured would be taken."""
        if self._journal.size >= self._max_bytes:
            raise JournalFull(self._max_bytes)

    async def record(
        self, kind: EventKind, arm: str = "", repeat_index: int = 0, phase: Phase | None = None
    ) -> None:
        """Number and journal one event, sync it, then let the watchers have it.

        A cancelled caller leaves at once; the event is committed all the same. Raises OSError where
        the disk does not take it, and nothing of it stays; never for a job's end, which watchers
        and host are told in any case: else they would wait for it, or measure again. Raises
        JournalFull for measurements beyond what one job may write.
        """
        if is_bounded(kind):
            self.check_bound()
        await asyncio.shield(self._commit(kind, arm, repeat_index, phase))

    async def _commit(
        self, kind: EventKind, arm: str, repeat_index: int, phase: Phase | None
    ) -> None:
        async with self._lock:
            if self.view.is_terminal:  # a cancellation crossed the job's own end
                return
            sequence = self.view.last_sequence + 1
            event = Event(sequence, self._clock(), kind, arm, repeat_index, phase)
            try:
                await self._write(event)
            except OSError as error:
                if not isinstance(kind, JobFinished):
                    raise
                _LOG.error("job %s: its journal does not take its end: %s", self.view.job_id, error)
            self.view = advance(self.view, event)
            if self.view.is_terminal:
                self.claimed = frozenset()
                self.save_if_possible()
            self._wake()

    async def _write(self, event: Event) -> None:
        """Raises OSError where the disk is full: never for a job's end, unless it stays so."""
        try:
            await self._append(event)
        except OSError:
            if not isinstance(event.kind, JobFinished):
                raise
            self._last_room.give()
            await self._append(event)

    async def _append(self, event: Event) -> None:
        self._journal.append(to_plain(event))
        try:
            await asyncio.to_thread(self._journal.sync)
        except OSError:
            self._journal.take_back()  # else its number would be given out twice
            raise

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
        except (IndexError, ValueError, FileNotFoundError) as error:
            if position == self.view.last_sequence - 1 and self.view.end_time_ns is not None:
                return self._end(self.view.end_time_ns)
            raise self._trimmed() from error

    def _end(self, time_ns: int) -> Event:
        """The view has it too, where the journal could not take it."""
        view = self.view
        return Event(view.last_sequence, time_ns, JobFinished(view.state, view.failure, view.arms))

    def _trimmed(self) -> EventsTrimmed:
        return EventsTrimmed(
            f"the device's disk has lost events of job {self.view.job_id}",
            first_sequence=str(self.view.last_sequence + 1),
        )

    def acknowledge(self) -> None:
        if not self.view.acknowledged:
            self.view = replace(self.view, acknowledged=True)
            self.save_if_possible()

    def save_if_possible(self) -> None:
        """Where it is not, ``is_saved`` is false, and the view goes on in memory."""
        try:
            self._save()
            self.is_saved = True
        except OSError as error:
            self.is_saved = isinstance(error, FileNotFoundError)  # whose folder is gone is not kept
            _LOG.warning("%s: not written anew: %s", self.folder / _VIEW_FILE, error)

    def size_bytes(self) -> int:
        """0 where its folder is gone, or cannot be read."""
        try:
            return sum(path.stat().st_size for path in self.folder.iterdir())
        except OSError:
            return 0

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
