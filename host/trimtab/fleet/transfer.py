"""Files to and from a device: nothing is sent twice, everything that arrives is verified."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from trimtab_protos.digest import Digest, digest_file
from trimtab_protos.errors import DeviceMeasuring, DigestMismatch, OffsetMismatch

from trimtab.fleet.client import AgentClient

_RETRY_S = 0.5
_UPLOAD_ATTEMPTS = 3


async def push(
    client: AgentClient,
    files: Iterable[tuple[Path, Digest]],
    chunk_bytes: int,
    on_sent: Callable[[Path, int], None],
) -> None:
    """Sends what the device lacks; while it measures for another host, waits.

    Raises TrimtabError (store full, file too large, ...) or DeviceUnreachable; OSError where a file
    has gone in the meantime.
    """
    paths = {digest: path for path, digest in files}
    missing = await client.find_missing(paths)
    for digest in sorted(missing):
        await _send(client, paths[digest], digest, chunk_bytes)
        on_sent(paths[digest], digest.size_bytes)


async def pull(client: AgentClient, digest: Digest, target: Path) -> None:
    """Raises DigestMismatch where what arrived is not what was named; nothing is left then."""
    part = target.with_name(target.name + ".part")
    try:
        await client.download(digest, part)
        found = await asyncio.to_thread(digest_file, part)
        if found != digest:
            raise DigestMismatch(f"the device sent {found} where {digest} was asked for")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


async def _send(client: AgentClient, path: Path, digest: Digest, chunk_bytes: int) -> None:
    attempts = 0
    while True:
        try:
            await client.upload(path, digest, chunk_bytes)
        except DeviceMeasuring:
            await asyncio.sleep(_RETRY_S)
        except OffsetMismatch:  # somebody else sends the same file: ask again where to go on
            attempts += 1
            if attempts == _UPLOAD_ATTEMPTS:
                raise
            await asyncio.sleep(_RETRY_S)
        else:
            return
