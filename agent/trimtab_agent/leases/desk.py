"""Where leases are asked for: the book, kept in a file, and the job queue told of changes."""

from __future__ import annotations

import logging
from collections.abc import Callable

from trimtab_agent.leases.book import LeaseBook, Snapshot
from trimtab_agent.leases.records import Ask, Lease
from trimtab_agent.leases.state_file import StateFile

_LOG = logging.getLogger(__name__)


class LeaseDesk:
    """``on_change`` is called after a lease came or went; one that expires by itself is not told.

    ``file`` None: nothing is kept.
    """

    def __init__(self, book: LeaseBook, file: StateFile | None = None) -> None:
        self.book = book
        self.on_change: Callable[[], None] = lambda: None
        self._file = file
        self._saved = Snapshot(None)
        if file is not None:
            self._saved = file.load()
            book.restore(self._saved)
            _tell_restored(book)

    def acquire(self, ask: Ask, ttl_ns: int) -> Lease:
        """Raises LeaseHeld or QueueFull."""
        before = self.book.lease
        try:
            lease = self.book.acquire(ask, ttl_ns)
        finally:
            self._save()
        if lease != before:
            _LOG.info("lease %s is held by %s", _short(lease.lease_id), lease.holder)
            self.on_change()
        return lease

    def renew(self, lease_id: str, ttl_ns: int) -> Lease:
        """Raises LeaseExpired."""
        lease = self.book.renew(lease_id, ttl_ns)
        self._save()
        self.on_change()  # it may end sooner than before
        return lease

    def release(self, lease_id: str) -> None:
        """One that is not in force is released already."""
        if self.book.release(lease_id):
            _LOG.info("lease %s is released", _short(lease_id))
            self._save()
            self.on_change()

    def check(self, lease_id: str) -> Lease:
        """Raises LeaseExpired."""
        return self.book.check(lease_id)

    def _save(self) -> None:
        snapshot = self.book.snapshot()
        if self._file is None or snapshot == self._saved:
            return
        try:
            self._file.save(snapshot)
        except OSError as error:  # the lease is good all the same, until the agent ends
            _LOG.warning("leases cannot be kept in a file: %s", error)
        else:
            self._saved = snapshot


def _tell_restored(book: LeaseBook) -> None:
    lease = book.lease
    if lease is not None:
        _LOG.info("lease %s is still held by %s", _short(lease.lease_id), lease.holder)


def _short(lease_id: str) -> str:
    """Whoever knows the whole may use the lease."""
    return lease_id[:6]
