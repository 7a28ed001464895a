"""A file on its way: hashed while it is written, written to the disk behind the sender's back."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import BinaryIO

_READ_BYTES = 1 << 20
# What is not on the disk yet: bounded, so that the last sync is short and a small board's memory
# is not full of it, and large enough that a slow card is not asked for every piece.
_SYNC_EVERY_BYTES = 16 << 20


class PartialFile:
    """Used by one thread at a time. Everything raises OSError where the disk does not do.

    What an earlier agent left is hashed first: after a power cut it is trusted only so far as the
    whole file's hash comes out right.
    """

    def __init__(self, path: Path) -> None:
        self.size = 0
        self._path = path
        self._hash = hashlib.sha256()
        self._synced = 0
        self._syncing: threading.Thread | None = None
        self._sync_problem: OSError | None = None
        # Not buffered: pieces are large, and what is taken must be the kernel's to survive a kill.
        self._file: BinaryIO = path.open("a+b", buffering=0)
        self._take_up()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def append(self, data: bytes) -> None:
        """Where it does not fit, nothing of the piece stays."""
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError:
            os.truncate(self._path, self.size)
            raise
        self._hash.update(data)
        self.size += len(data)
        self._sync_behind()

    def sync(self) -> None:
        self._await_sync()
        if self._sync_problem is not None:  # the kernel tells of a failed write only once
            raise self._sync_problem
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._await_sync()
        self._file.close()

    def _take_up(self) -> None:
        self._file.seek(0)
        while data := self._file.read(_READ_BYTES):
            self._hash.update(data)
            self.size += len(data)
        self._synced = self.size

    def _sync_behind(self) -> None:
        """The disk works while the rest arrives; one sync at a time."""
        if self.size - self._synced < _SYNC_EVERY_BYTES:
            return
        if self._syncing is not None and self._syncing.is_alive():
            return
        self._synced = self.size
        self._syncing = threading.Thread(target=self._sync_data, daemon=True)
        self._syncing.start()

    def _sync_data(self) -> None:
        try:
            os.fdatasync(self._file.fileno())
        except OSError as error:
            self._sync_problem = error

    def _await_sync(self) -> None:
        if self._syncing is not None:
            self._syncing.join()
            self._syncing = None
