"""ArtifactService: what is missing, uploads that resume, downloads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from trimtab_protos.digest import Digest
from trimtab_protos.errors import SpecInvalid, UploadInvalid
from trimtab_protos.metadata import UPLOAD_TURN_KEY
from trimtab_protos.v1 import artifact_pb2, artifact_pb2_grpc

from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.config import MAX_CHUNK_BYTES
from trimtab_agent.convert_spec import digest_from_message, digest_to_message
from trimtab_agent.leases.desk import LeaseDesk
from trimtab_agent.quiet import Quiet
from trimtab_agent.uploads import Upload, Uploads

_MAX_ASKED = 10_000
_Requests = AsyncIterator[artifact_pb2.UploadArtifactRequest]


class ArtifactServicer(artifact_pb2_grpc.ArtifactServiceServicer):
    def __init__(
        self, store: ArtifactStore, uploads: Uploads, quiet: Quiet, leases: LeaseDesk
    ) -> None:
        self._store = store
        self._uploads = uploads
        self._quiet = quiet
        self._leases = leases

    async def FindMissingArtifacts(  # noqa: N802
        self, request: artifact_pb2.FindMissingArtifactsRequest, context: Any
    ) -> artifact_pb2.FindMissingArtifactsResponse:
        if len(request.digests) > _MAX_ASKED:
            text = f"digests: at most {_MAX_ASKED} at once, were {len(request.digests)}"
            raise SpecInvalid(text, field="digests")
        missing = self._store.missing(digest_from_message(digest) for digest in request.digests)
        return artifact_pb2.FindMissingArtifactsResponse(
            missing_digests=[digest_to_message(digest) for digest in missing]
        )

    async def GetUploadStatus(  # noqa: N802
        self, request: artifact_pb2.GetUploadStatusRequest, context: Any
    ) -> artifact_pb2.GetUploadStatusResponse:
        digest = digest_from_message(request.digest)
        return artifact_pb2.GetUploadStatusResponse(
            committed_size=self._uploads.committed_size(digest),
            complete=self._store.has(digest),
        )

    async def UploadArtifact(  # noqa: N802
        self, request_iterator: _Requests, context: Any
    ) -> artifact_pb2.UploadArtifactResponse:
        requests = aiter(request_iterator)
        first = await anext(requests, None)
        if first is None:
            raise UploadInvalid("the upload holds no message")
        digest = _digest(first)
        if first.lease_id:
            self._leases.check(first.lease_id)
        if self._store.has(digest):  # nothing more is read, so nothing more is sent
            return artifact_pb2.UploadArtifactResponse(committed_size=digest.size_bytes)
        self._quiet.check()
        async with self._uploads.receive(digest) as upload:
            await context.send_initial_metadata(((UPLOAD_TURN_KEY, "1"),))
            size = await self._take(first, requests, upload)
        return artifact_pb2.UploadArtifactResponse(committed_size=size)

    async def _take(
        self, request: artifact_pb2.UploadArtifactRequest, rest: _Requests, upload: Upload
    ) -> int:
        await self._take_one(request, upload)
        finish = request.finish_write
        while not finish:
            following = await anext(rest, None)
            if following is None:  # broken off or paused: to be resumed at this size
                return await upload.settle()
            if following.HasField("digest"):
                raise UploadInvalid("only an upload's first message names the digest")
            await self._take_one(following, upload)
            finish = following.finish_write
        return await upload.finish()

    async def _take_one(self, request: artifact_pb2.UploadArtifactRequest, upload: Upload) -> None:
        self._quiet.check()
        if len(request.data) > MAX_CHUNK_BYTES:
            raise UploadInvalid(
                f"a chunk of {len(request.data)} bytes; at most {MAX_CHUNK_BYTES} are taken"
            )
        await upload.write(request.write_offset, request.data)

    async def DownloadArtifact(  # noqa: N802
        self, request: artifact_pb2.DownloadArtifactRequest, context: Any
    ) -> AsyncIterator[artifact_pb2.DownloadArtifactResponse]:
        digest = digest_from_message(request.digest)
        async for data in self._store.read(digest, request.read_offset):
            yield artifact_pb2.DownloadArtifactResponse(data=data)


def _digest(first: artifact_pb2.UploadArtifactRequest) -> Digest:
    if not first.HasField("digest"):
        raise UploadInvalid("an upload's first message names the digest")
    return digest_from_message(first.digest)
