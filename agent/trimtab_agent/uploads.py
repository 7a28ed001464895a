"""Uploads: taken in pieces into a partial file, resumable, verified before they get a name."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from trimtab_protos.digest import Digest
from trimtab_protos.errors import (
    ArtifactTooLarge,
    DigestMismatch,
    OffsetMismatch,
    StoreFull,
)

from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.collection import Collector

_READ_BYTES = 1 << 20
_ABANDONED_AFTER_S = 7 * 24 * 3600


class Upload:
    """One file on its way; connections that send the same file share it.

    The file's size is what is committed; the hash is of what the file holds.
    """

    def __init__(self, store: ArtifactStore, digest: Digest) -> None:
        self.size = 0
        self.connections = 0
        self.ended = False
        self._store = store
        self._digest = digest
        self._path = partial_path(store, digest)
        self._lock = asyncio.Lock()
        self._hash = hashlib.sha256()
        self._file: BinaryIO | None = None

    async def write(self, offset: int, data: bytes) -> int:
        """Append a piece; returns the committed size.

        Raises:
            OffsetMismatch: the piece does not begin where the committed ones end.
            DigestMismatch: there is more than the digest's size; the partial file is dropped.
            StoreFull: the disk is full after all.
        """
        async with self._lock:
            file = await self._opened()
            if file is None or offset != self.size:
                raise self._offset_mismatch(offset)
            if offset + len(data) > self._digest.size_bytes:
                self._end(drop=True)
                raise DigestMismatch(
                    f"more was sent than the {self._digest.size_bytes} bytes announced"
                )
            try:
                await asyncio.to_thread(self._append, file, data)
            except OSError as error:
                raise disk_error(error) from error
            return self.size

    async def finish(self) -> int:
        """Verify size and hash, and name the file; returns its size.

        Raises DigestMismatch; nothing is left of the upload then.
        """
        async with self._lock:
            file = await self._opened()
            if self._store.has(self._digest):
                self._end(drop=True)
                return self._digest.size_bytes
            if file is None:
                raise self._offset_mismatch(self.size)
            sha256 = self._hash.hexdigest()
            if self.size != self._digest.size_bytes or sha256 != self._digest.sha256:
                self._end(drop=True)
                raise DigestMismatch(
                    f"announced {self._digest}, received {sha256[:12]} ({self.size} bytes)"
                )
            try:
                await asyncio.to_thread(os.fsync, file.fileno())
                self._store.adopt(self._path, self._digest)
            except OSError as error:
                raise disk_error(error) from error
            self._end(drop=False)
            return self._digest.size_bytes

    def close(self) -> None:
        """What is committed stays on the disk, to be resumed."""
        self._end(drop=False)

    async def _opened(self) -> BinaryIO | None:
        """None once the upload has ended, here or on another connection."""
        if self._file is None and not self.ended:
            try:
                await asyncio.to_thread(self._open)
            except OSError as error:
                raise disk_error(error) from error
        return self._file

    def _open(self) -> None:
        file = self._path.open("a+b")
        file.seek(0)
        while data := file.read(_READ_BYTES):
            self._hash.update(data)
            self.size += len(data)
        self._file = file

    def _append(self, file: BinaryIO, data: bytes) -> None:
        """Raises OSError; what was written of the piece is taken back then."""
        try:
            file.write(data)
            file.flush()
        except OSError:
            os.truncate(self._path, self.size)
            raise
        self._hash.update(data)
        self.size += len(data)

    def _end(self, drop: bool) -> None:
        self.ended = True
        if self._file is not None:
            self._file.close()
            self._file = None
        if drop:
            self._path.unlink(missing_ok=True)
            self.size = 0

    def _offset_mismatch(self, offset: int) -> OffsetMismatch:
        complete = self._store.has(self._digest)
        committed = self._digest.size_bytes if complete else self.size
        return OffsetMismatch(
            f"offset {offset}, but {committed} bytes are committed", committed_size=str(committed)
        )


class Uploads:
    """Who sends what; room is checked before bytes are taken."""

    def __init__(self, store: ArtifactStore, max_bytes: int, collector: Collector) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._collector = collector
        self._under_way: dict[Digest, Upload] = {}
        _remove_abandoned(store.partial_dir)

    def committed_size(self, digest: Digest) -> int:
        """Bytes of it that need not be sent (again)."""
        if self._store.has(digest):
            return digest.size_bytes
        try:
            return partial_path(self._store, digest).stat().st_size
        except FileNotFoundError:
            return 0

    @asynccontextmanager
    async def receive(self, digest: Digest) -> AsyncIterator[Upload]:
        """Raises ArtifactTooLarge or StoreFull before any byte is taken."""
        self._check_room(digest)
        upload = self._under_way.get(digest)
        if upload is None or upload.ended:
            upload = self._under_way[digest] = Upload(self._store, digest)
        upload.connections += 1
        try:
            yield upload
        finally:
            upload.connections -= 1
            if upload.connections == 0:
                upload.close()
                if self._under_way.get(digest) is upload:
                    del self._under_way[digest]

    def _check_room(self, digest: Digest) -> None:
        if digest.size_bytes > self._max_bytes:
            raise ArtifactTooLarge(
                f"{digest.size_bytes} bytes are more than the agent takes in one artifact "
                f"({self._max_bytes} bytes)",
                max_bytes=str(self._max_bytes),
            )
        awaited = {*self._under_way, digest}
        needed = sum(item.size_bytes - self.committed_size(item) for item in awaited)
        self._collector.make_room(needed)


def partial_path(store: ArtifactStore, digest: Digest) -> Path:
    return store.partial_dir / f"{digest.sha256}-{digest.size_bytes}"


def disk_error(error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull("the disk filled up while the file was taken")
    return error


def _remove_abandoned(folder: Path) -> None:
    oldest = time.time() - _ABANDONED_AFTER_S
    for path in folder.iterdir():
        if path.stat().st_mtime < oldest:
            path.unlink()
