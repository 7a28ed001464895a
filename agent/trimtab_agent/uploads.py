"""Uploads: taken in pieces into a partial file, resumable, verified before they get a name."""

from __future__ import annotations

import asyncio
import errno
import logging
import shutil
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from trimtab_protos.digest import Digest
from trimtab_protos.errors import (
    ArtifactTooLarge,
    DigestMismatch,
    OffsetMismatch,
    RateLimited,
    StoreFull,
)

from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.collection import Collector
from trimtab_agent.partial_file import PartialFile

_LOG = logging.getLogger(__name__)
_ABANDONED_AFTER_S = 7 * 24 * 3600
# Each holds some megabytes of the device's memory: pieces on their way, and gRPC's buffers.
MAX_UNDER_WAY = 4
# A connection that was lost is told from a slow one by this; gRPC itself takes a minute and more.
SILENT_S = 15.0
_RETRY_AFTER_S = 1
_Done = TypeVar("_Done")


class Upload:
    """One file on its way on one connection. ``size``: what was taken so far.

    A piece is hashed and written in a thread while the next one arrives: at most one is under way.
    What a piece fails of is told with the next one.
    """

    def __init__(self, store: ArtifactStore, digest: Digest, reserve_bytes: int) -> None:
        self.size = 0
        self.ended = False
        self.moved_at = time.monotonic()
        self._store = store
        self._digest = digest
        self._reserve_bytes = reserve_bytes
        self._path = store.partial_path(digest)
        # One thread, so that whatever becomes of the connection things happen in their order.
        self._thread = ThreadPoolExecutor(1, "upload")
        self._file: PartialFile | None = None
        self._writing: asyncio.Future[None] | None = None
        self._closing: asyncio.Future[None] | None = None

    async def write(self, offset: int, data: bytes) -> int:
        """Take a piece; returns the size with it.

        Raises:
            OffsetMismatch: it does not begin where the one before ended, or another connection
                sends on.
            DigestMismatch: there is more than the digest's size; the partial file is dropped.
            StoreFull: the disk is full after all; what came before the piece stays.
        """
        await self._open()
        await self._settle()
        if self.ended or offset != self.size:
            raise self._offset_mismatch(offset)
        if offset + len(data) > self._digest.size_bytes:
            await self.close(drop=True)
            raise DigestMismatch(
                f"more was sent than the {self._digest.size_bytes} bytes announced"
            )
        self.size += len(data)
        self.moved_at = time.monotonic()
        self._writing = self._later(lambda: self._append(data))
        return self.size

    async def settle(self) -> int:
        """The size once it is the kernel's. Raises StoreFull."""
        await self._open()
        await self._settle()
        return self.size

    async def finish(self) -> int:
        """Verify size and hash, and name the file; returns its size.

        Raises DigestMismatch; nothing is left of the upload then.
        """
        await self.settle()
        if self.ended:
            raise self._offset_mismatch(self.size)
        try:
            sha256 = await self._later(self._verified)
        except OSError as error:
            raise disk_error(error) from error
        right = self.size == self._digest.size_bytes and sha256 == self._digest.sha256
        size = self.size
        await self.close(drop=not right)
        if not right:
            raise DigestMismatch(f"announced {self._digest}, received {sha256[:12]} ({size} bytes)")
        return self._digest.size_bytes

    async def close(self, drop: bool = False) -> None:
        """What was taken stays on the disk, to be resumed; with ``drop`` nothing does."""
        if self._closing is None:
            self.ended = True
            self._closing = self._later(lambda: self._close(drop))
            self._thread.shutdown(wait=False)
        left = {self._closing, *filter(None, [self._writing])}
        await asyncio.wait(left)  # cancelled meanwhile, the thread goes on all the same
        for each in left:
            if not each.cancelled() and (problem := each.exception()) is not None:
                _LOG.warning("upload of %s: %s", self._digest, problem)

    async def _open(self) -> None:
        if self._file is not None or self.ended:
            return
        try:
            self._file = await self._later(lambda: PartialFile(self._path))
        except OSError as error:
            raise disk_error(error) from error
        self.size = self._file.size

    async def _settle(self) -> None:
        writing = self._writing
        if writing is None:
            return
        # A connection that goes meanwhile does not take back a piece that waits for the thread.
        await asyncio.wait({writing})
        self._writing = None
        try:
            writing.result()
        except OSError as error:
            full = disk_error(error)
            if full is not error:  # what the disk cannot hold it is not left with
                await self.close(drop=True)
            raise full from error

    def _later(self, action: Callable[[], _Done]) -> asyncio.Future[_Done]:
        return asyncio.get_running_loop().run_in_executor(self._thread, action)

    def _append(self, data: bytes) -> None:
        """Raises StoreFull while there is still room for what jobs write."""
        assert self._file is not None  # noqa: S101 - opened before
        free = shutil.disk_usage(self._path.parent).free - self._reserve_bytes
        if free < len(data):
            self.size = self._file.size
            raise StoreFull(
                f"no room for the rest: {max(free, 0)} bytes are free beside the "
                f"{self._reserve_bytes} kept in reserve"
            )
        self._file.append(data)

    def _verified(self) -> str:
        """The hash; a right file has its name when it returns."""
        assert self._file is not None  # noqa: S101 - opened before
        sha256 = self._file.sha256
        if (sha256, self._file.size) == (self._digest.sha256, self._digest.size_bytes):
            self._file.sync()
            self._store.adopt(self._path, self._digest)
        return sha256

    def _close(self, drop: bool) -> None:
        if self._file is not None:
            self._file.close()
        if drop:
            self._path.unlink(missing_ok=True)
            self.size = 0

    def _offset_mismatch(self, offset: int) -> OffsetMismatch:
        complete = self._store.has(self._digest)
        committed = self._digest.size_bytes if complete else self.size
        return offset_mismatch(offset, committed)


class Uploads:
    """Who sends what: one connection a file, a few files at once; room is checked before."""

    def __init__(self, store: ArtifactStore, max_bytes: int, collector: Collector) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._collector = collector
        self._under_way: dict[Digest, Upload] = {}
        self.received_bytes = 0  # of uploads that have ended, since the agent started
        for partial in store.partials():
            if time.time() - partial.used_at > _ABANDONED_AFTER_S:
                store.drop_partial(partial.digest)

    def committed_size(self, digest: Digest) -> int:
        """Bytes of it that need not be sent (again)."""
        if self._store.has(digest):
            return digest.size_bytes
        return self._store.partial_size(digest)

    @asynccontextmanager
    async def receive(self, digest: Digest) -> AsyncIterator[Upload]:
        """Raises, before any byte is taken: ArtifactTooLarge, StoreFull, RateLimited (too many at
        once), OffsetMismatch (another connection sends this file and is not silent)."""
        upload = await self._begin(digest)
        before = self._store.partial_size(digest)
        try:
            yield upload
        finally:
            self.received_bytes += max(0, upload.size - before)
            try:
                await upload.close()
            finally:  # another one begins where this one's last piece ends
                if self._under_way.get(digest) is upload:
                    del self._under_way[digest]

    async def _begin(self, digest: Digest) -> Upload:
        while (other := self._under_way.get(digest)) is not None:
            if time.monotonic() - other.moved_at < SILENT_S:
                raise offset_mismatch(0, self.committed_size(digest), "another connection sends it")
            await other.close()
            if self._under_way.get(digest) is other:
                del self._under_way[digest]
        if len(self._under_way) >= MAX_UNDER_WAY:
            raise RateLimited(
                f"{MAX_UNDER_WAY} uploads are under way, the most this agent takes at once",
                retry_after_s=str(_RETRY_AFTER_S),
            )
        self._check_room(digest)
        upload = Upload(self._store, digest, self._collector.reserve_bytes)
        self._under_way[digest] = upload
        return upload

    def _check_room(self, digest: Digest) -> None:
        if digest.size_bytes > self._max_bytes:
            raise ArtifactTooLarge(
                f"{digest.size_bytes} bytes are more than the agent takes in one artifact "
                f"({self._max_bytes} bytes)",
                max_bytes=str(self._max_bytes),
            )
        awaited = {*self._under_way, digest}
        needed = sum(item.size_bytes - self.committed_size(item) for item in awaited)
        self._collector.make_room(needed, awaited)


def offset_mismatch(offset: int, committed: int, why: str = "") -> OffsetMismatch:
    because = f": {why}" if why else ""
    return OffsetMismatch(
        f"offset {offset}, but {committed} bytes are committed{because}",
        committed_size=str(committed),
    )


def disk_error(error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull("the disk filled up while the file was taken")
    return error
