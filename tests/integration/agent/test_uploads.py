"""Artifacts over a real wire: resumed, verified, sent once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from trimtab_protos.digest import digest_bytes
from trimtab_protos.errors import (
    ArtifactMissing,
    ArtifactTooLarge,
    DigestInvalid,
    DigestMismatch,
    OffsetMismatch,
    UploadInvalid,
)
from trimtab_protos.v1 import artifact_pb2

_CHUNK = 1 << 20


def _message(data: bytes) -> artifact_pb2.Digest:
    digest = digest_bytes(data)
    return artifact_pb2.Digest(sha256=digest.sha256, size_bytes=digest.size_bytes)


def _request(data: bytes, **fields: Any) -> artifact_pb2.UploadArtifactRequest:
    return artifact_pb2.UploadArtifactRequest(data=data, **fields)


def _missing(client: Any, *digests: artifact_pb2.Digest) -> list[artifact_pb2.Digest]:
    request = artifact_pb2.FindMissingArtifactsRequest(digests=digests)
    return list(client.artifacts.FindMissingArtifacts(request).missing_digests)


def _status(client: Any, digest: artifact_pb2.Digest) -> tuple[int, bool]:
    request = artifact_pb2.GetUploadStatusRequest(digest=digest)
    status = client.artifacts.GetUploadStatus(request)
    return status.committed_size, status.complete


def _files(state: Path) -> list[Path]:
    return [path for path in (state / "artifacts").rglob("*") if path.is_file()]


def test_what_was_uploaded_comes_back_from_any_offset(client: Any) -> None:
    data = os.urandom(2 * _CHUNK + 17)
    digest = client.upload(data)
    assert client.download(digest) == data
    assert client.download(digest, offset=_CHUNK + 3) == data[_CHUNK + 3 :]
    assert client.download(digest, offset=len(data)) == b""


def test_a_second_upload_of_the_same_file_sends_nothing(client: Any) -> None:
    data = os.urandom(3 * _CHUNK)
    digest = _message(data)
    assert _missing(client, digest) == [digest]
    client.upload(data)
    assert _missing(client, digest) == []
    assert _status(client, digest) == (len(data), True)
    answer = client.artifacts.UploadArtifact(iter([_request(b"", digest=digest)]))
    assert answer.committed_size == len(data)


def test_a_broken_upload_is_resumed_where_it_broke(start_agent: Any, connect: Any) -> None:
    agent = start_agent()
    client = connect(agent.address)
    data = os.urandom(2 * _CHUNK)
    digest = _message(data)
    client.artifacts.UploadArtifact(iter([_request(data[:_CHUNK], digest=digest)]))
    assert _status(client, digest) == (_CHUNK, False)
    assert _missing(client, digest) == [digest]
    agent.stop()

    client = connect(start_agent(state=agent.state).address)
    assert _status(client, digest) == (_CHUNK, False)
    rest = _request(data[_CHUNK:], digest=digest, write_offset=_CHUNK, finish_write=True)
    assert client.artifacts.UploadArtifact(iter([rest])).committed_size == len(data)
    assert client.download(digest) == data


def test_a_wrong_hash_is_refused_and_leaves_nothing(
    start_agent: Any, connect: Any, error_of: Any
) -> None:
    agent = start_agent()
    client = connect(agent.address)
    announced = _message(b"what was announced")
    for sent in (b"what was unnaounced", b"what was", b"what was announcex"):
        request = _request(sent, digest=announced, finish_write=True)
        error = error_of(lambda: client.artifacts.UploadArtifact(iter([request])))  # noqa: B023
        assert isinstance(error, DigestMismatch), sent
        assert _files(agent.state) == []
        assert _status(client, announced) == (0, False)
    error = error_of(lambda: client.download(announced))
    assert isinstance(error, ArtifactMissing)


def test_a_wrong_offset_names_the_committed_size(client: Any, error_of: Any) -> None:
    digest = _message(b"0123456789")
    client.artifacts.UploadArtifact(iter([_request(b"0123", digest=digest)]))
    request = _request(b"789", digest=digest, write_offset=7)
    error = error_of(lambda: client.artifacts.UploadArtifact(iter([request])))
    assert isinstance(error, OffsetMismatch)
    assert error.metadata["committed_size"] == "4"


def test_bad_uploads_are_refused_before_bytes_are_taken(
    start_agent: Any, connect: Any, error_of: Any
) -> None:
    agent = start_agent("--max-artifact-mb", "1")
    client = connect(agent.address)

    def refused(*requests: artifact_pb2.UploadArtifactRequest) -> Any:
        return error_of(lambda: client.artifacts.UploadArtifact(iter(requests)))

    size = 1_000_001
    large = artifact_pb2.Digest(sha256="0" * 64, size_bytes=size)
    assert isinstance(refused(_request(b"x", digest=large)), ArtifactTooLarge)
    assert isinstance(refused(_request(b"x")), UploadInvalid)
    assert isinstance(refused(), UploadInvalid)
    path = artifact_pb2.Digest(sha256="../../etc/passwd", size_bytes=1)
    assert isinstance(refused(_request(b"x", digest=path)), DigestInvalid)
    assert isinstance(refused(_request(bytes(_CHUNK + 1), digest=_message(b"x"))), UploadInvalid)
    assert _files(agent.state) == []
