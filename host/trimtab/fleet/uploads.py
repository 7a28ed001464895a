"""Bytes to and from one agent: from where they broke off, and never waiting for ever."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import grpc.aio
from trimtab_protos.digest import Digest
from trimtab_protos.metadata import UPLOAD_TURN_KEY
from trimtab_protos.v1 import artifact_pb2, artifact_pb2_grpc

from trimtab.fleet import convert
from trimtab.fleet.client import AgentClient
from trimtab.fleet.errors import DeviceUnreachable, translated

if TYPE_CHECKING:
    _Artifacts = artifact_pb2_grpc.ArtifactServiceAsyncStub

STALL_S = 30.0
_DEADLINE_S = 20.0
# Half of what agents take: with what the agent's socket holds, less than that is lost in a cut.
_MOST_BYTES = 1 << 19
# A slow line is asked for small pieces: each must get through before it counts as stalled.
_FEWEST_BYTES = 1 << 16
_QUICK_S, _SLOW_S = 0.25, 2.0
# Long enough for a word to come over a slow line.
_TURN_S = 2.0
# What a slow board hashes, and its card writes, at the least: it is silent meanwhile.
_LEAST_BYTES_PER_S = 10e6
_UPLOAD = "/trimtab.v1.ArtifactService/UploadArtifact"
_DATA_TAG = bytes([artifact_pb2.UploadArtifactRequest.DATA_FIELD_NUMBER << 3 | 2])


@dataclass(frozen=True)
class UploadStatus:
    committed_bytes: int
    is_complete: bool


async def upload_status(client: AgentClient, digest: Digest) -> UploadStatus:
    """Raises TrimtabError or DeviceUnreachable."""
    request = artifact_pb2.GetUploadStatusRequest(digest=convert.digest_to_proto(digest))
    with translated(client.device):
        status = await _stub(client).GetUploadStatus(request, timeout=_DEADLINE_S)
    return UploadStatus(int(status.committed_size), bool(status.complete))


async def upload(
    client: AgentClient,
    path: Path,
    digest: Digest,
    offset: int,
    chunk_bytes: int,
    stall_s: float = STALL_S,
) -> bool:
    """Sends the file from ``offset`` on; it is there, and verified, when this returns.

    False: it was there already, by somebody else's doing.

    Raises TrimtabError, OSError (the file cannot be read), or DeviceUnreachable: also where nothing
    gets through for ``stall_s``.
    """
    most = min(chunk_bytes or _MOST_BYTES, _MOST_BYTES)
    hashing_s, syncing_s = (size / _LEAST_BYTES_PER_S for size in (offset, digest.size_bytes))
    with path.open("rb", buffering=0) as file, translated(client.device):
        file.seek(offset)
        call: Any = client.channel.stream_unary(_UPLOAD)()
        try:
            async with _within(stall_s, client.device):
                await call.write(_message(b"", offset, digest))
            is_our_turn = await _turn(call)
            if is_our_turn:
                limit = (stall_s + hashing_s, client.device)
                await _send_pieces(call, file, offset, digest, most, limit)
            async with _within(stall_s + syncing_s, client.device):
                await call
            return is_our_turn
        finally:
            call.cancel()  # nothing where it has ended


async def _turn(call: Any) -> bool:
    """Also where an agent says nothing for a while: it may be slow."""
    try:
        said = await asyncio.wait_for(call.initial_metadata(), _TURN_S)
    except TimeoutError:
        return True
    return UPLOAD_TURN_KEY in dict(said)


async def _send_pieces(
    call: Any, file: BinaryIO, offset: int, digest: Digest, most: int, limit: tuple[float, str]
) -> None:
    size = min(most, _FEWEST_BYTES)
    ends = False
    # Whatever the agent has to say, for better or for worse, it says as the call's answer.
    with contextlib.suppress(asyncio.InvalidStateError):
        while not ends:
            data = await asyncio.to_thread(file.read, size)
            ends = offset + len(data) >= digest.size_bytes or not data
            began = time.monotonic()
            async with _within(*limit):
                await call.write(_message(data, offset, finish=ends))
            offset += len(data)
            size = _next_size(size, time.monotonic() - began, most)
        await call.done_writing()


def _next_size(size: int, took_s: float, most: int) -> int:
    if took_s < _QUICK_S:
        return min(2 * size, most)
    return max(size // 2, min(_FEWEST_BYTES, most)) if took_s > _SLOW_S else size


async def download(
    client: AgentClient, digest: Digest, target: Path, stall_s: float = STALL_S
) -> None:
    """Appends to what the target holds already; whether it is the right file, the caller sees.

    Raises TrimtabError, OSError, or DeviceUnreachable: also where nothing comes for ``stall_s``.
    """
    with target.open("ab") as file, translated(client.device):
        if file.tell() > digest.size_bytes:
            file.truncate(0)
            file.seek(0)
        request = artifact_pb2.DownloadArtifactRequest(
            digest=convert.digest_to_proto(digest), read_offset=file.tell()
        )
        call: Any = _stub(client).DownloadArtifact(request)
        try:
            while True:
                async with _within(stall_s, client.device):
                    part = await call.read()
                if part is grpc.aio.EOF:
                    return
                await asyncio.to_thread(file.write, part.data)
        finally:
            call.cancel()


def _message(
    data: bytes, offset: int, digest: Digest | None = None, *, finish: bool = False
) -> bytes:
    """An UploadArtifactRequest on the wire, its data put behind the rest.

    Setting a field of a megabyte and serializing it takes twice as long as sending it.
    """
    head = artifact_pb2.UploadArtifactRequest(
        digest=None if digest is None else convert.digest_to_proto(digest),
        write_offset=offset,
        finish_write=finish,
    )
    return b"".join((head.SerializeToString(), _DATA_TAG, _varint(len(data)), data))


def _varint(number: int) -> bytes:
    digits = []
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


@asynccontextmanager
async def _within(seconds: float, device: str) -> AsyncIterator[None]:
    """Raises DeviceUnreachable where it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise DeviceUnreachable(
            f"nothing got through to or from device {device} for {seconds:.0f} s"
        ) from error


def _stub(client: AgentClient) -> _Artifacts:
    return cast("_Artifacts", artifact_pb2_grpc.ArtifactServiceStub(client.channel))
