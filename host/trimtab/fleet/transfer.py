"""Files to and from a device: nothing is sent twice, everything that arrives is verified."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from trimtab_protos.digest import Digest, digest_bytes, digest_file
from trimtab_protos.errors import (
    DeviceMeasuring,
    DigestMismatch,
    InternalError,
    OffsetMismatch,
    RateLimited,
    TrimtabError,
)
from trimtab_protos.syncing import sync

from trimtab.fleet.client import AgentClient
from trimtab.fleet.errors import NO_ROOM, DeviceUnreachable
from trimtab.fleet.uploads import download, upload, upload_status

_WAIT_S = 0.5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_ATTEMPTS = 5
# How long another host's upload of the same file is waited for where it does not get on.
_OTHERS_PATIENCE_S = 60.0
# A connection that breaks in the middle of a message does not always say that it is gone.
_BROKEN = (DeviceUnreachable, InternalError)


Heard = Callable[[], None]


def _nothing() -> None:
    pass


class FilesRefused(Exception):
    """The device has no room for these; all others were sent."""

    def __init__(self, errors: Mapping[Digest, TrimtabError]) -> None:
        super().__init__("; ".join(error.message for error in errors.values()))
        self.errors = errors

    @property
    def first(self) -> TrimtabError:
        return next(iter(self.errors.values()))


async def push(
    client: AgentClient,
    files: Iterable[tuple[Path, Digest]],
    chunk_bytes: int,
    on_sent: Callable[[Path, int], None],
    heard: Heard = _nothing,
) -> None:
    """Sends what the device lacks; while it measures for another host, waits.

    A broken connection is taken up again where it broke, as long as something gets through, which
    ``heard`` is told of each time.

    Raises FilesRefused, another TrimtabError or DeviceUnreachable; OSError where a file has gone in
    the meantime.
    """
    paths = {digest: path for path, digest in files}
    missing = await client.find_missing(paths)
    refused: dict[Digest, TrimtabError] = {}
    for digest in sorted(missing):
        try:
            if await _send(client, paths[digest], digest, chunk_bytes, _Tries(heard)):
                on_sent(paths[digest], digest.size_bytes)
        except NO_ROOM as error:
            refused[digest] = error
    if refused:
        raise FilesRefused(refused)


async def pull(client: AgentClient, digest: Digest, target: Path, heard: Heard = _nothing) -> None:
    """What broke off is gone on with, also by another call: it lies beside the target. ``heard`` is
    told whenever something more of it came.

    On the disk when it returns. Raises DigestMismatch where what arrived is not what was named
    (nothing is left then), other TrimtabErrors, or DeviceUnreachable.
    """
    part = part_of(target, client.device)
    began_anew = not part.exists()
    await _fetch(client, digest, part, _Tries(heard))
    found = await asyncio.to_thread(digest_file, part)
    if found != digest and not began_anew:  # what lay there was no beginning of it
        part.unlink()
        await _fetch(client, digest, part, _Tries(heard))
        found = await asyncio.to_thread(digest_file, part)
    if found != digest:
        part.unlink(missing_ok=True)
        raise DigestMismatch(f"the device sent {found} where {digest} was asked for")
    await asyncio.to_thread(_settle, part, target)


def _settle(part: Path, target: Path) -> None:
    """Named for good, whatever becomes of this machine's power."""
    sync(part)
    part.replace(target)
    sync(target.parent)


def part_of(target: Path, device: str) -> Path:
    """Where what came so far lies: two devices may send the same file at once."""
    return target.with_name(f"{target.name}.{digest_bytes(device.encode()).sha256[:8]}.part")


class _Tries:
    """How often a broken connection is tried again: always, while there is progress."""

    def __init__(self, heard: Callable[[], None]) -> None:
        self._heard = heard
        self._furthest = -1
        self._moved_at = time.monotonic()
        self._failures = 0

    def reached(self, size_bytes: int) -> None:
        if size_bytes > self._furthest:
            if self._furthest >= 0:  # the first look only tells where it begins
                self._heard()
            self._furthest = size_bytes
            self._moved_at = time.monotonic()
            self._failures = 0

    def wait_patiently(self) -> None:
        """The device has said why nothing moves."""
        self._heard()
        self._moved_at = time.monotonic()

    def start_over(self) -> None:
        self._furthest = -1

    @property
    def still_s(self) -> float:
        return time.monotonic() - self._moved_at

    async def pause(self, error: Exception) -> None:
        """Raises the error where it is the last time."""
        self._failures += 1
        if self._failures >= _ATTEMPTS:
            raise error
        await asyncio.sleep(min(_FIRST_PAUSE_S * 2 ** (self._failures - 1), _LONGEST_PAUSE_S))


async def _send(
    client: AgentClient, path: Path, digest: Digest, chunk_bytes: int, tries: _Tries
) -> bool:
    """Whether anything of it had to be sent by us."""
    was_sent = was_refused = False
    while True:
        try:
            status = await upload_status(client, digest)
            if status.is_complete:
                return was_sent
            tries.reached(status.committed_bytes)
            sent = await upload(client, path, digest, status.committed_bytes, chunk_bytes)
            return sent or was_sent
        except (DeviceMeasuring, RateLimited) as error:
            tries.wait_patiently()
            await asyncio.sleep(float(error.metadata.get("retry_after_s") or _WAIT_S))
        except OffsetMismatch:  # somebody else sends the same file: see how far they are
            if tries.still_s > _OTHERS_PATIENCE_S:
                raise
            await asyncio.sleep(_WAIT_S)
        except DigestMismatch:  # what lay there from before may have been damaged: all of it, once
            if was_refused:
                raise
            was_refused = True
            tries.start_over()
        except _BROKEN as error:
            was_sent = True
            await tries.pause(error)


async def _fetch(client: AgentClient, digest: Digest, part: Path, tries: _Tries) -> None:
    while True:
        try:
            await download(client, digest, part)
            return
        except RateLimited as error:
            tries.wait_patiently()
            await asyncio.sleep(float(error.metadata.get("retry_after_s") or _WAIT_S))
        except _BROKEN as error:
            tries.reached(part.stat().st_size)
            await tries.pause(error)
