"""Streams of upload messages: a right one with its order, offsets or digest changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fuzz.samples import digest_of
from hypothesis import strategies as st
from trimtab_protos.v1 import artifact_pb2

_Request = artifact_pb2.UploadArtifactRequest
_SIZES = (0, 1, 2**31, 2**62, 2**63 - 1, -1, -(2**63))
_OFFSETS = (-1, 1, 7, 2**31, 2**63 - 1, -(2**63))


@st.composite
def upload_streams(draw: Callable[..., Any]) -> list[bytes]:
    data = draw(st.binary(max_size=300))
    requests = _right(data, draw(st.integers(1, 100)))
    for _ in range(draw(st.integers(0, 3))):
        if requests:
            draw(st.sampled_from(_CHANGES))(draw, requests)
    return [bytes(request.SerializeToString()) for request in requests]


def _right(data: bytes, piece: int) -> list[Any]:
    starts = range(0, len(data), piece) or range(1)
    requests = [_Request(write_offset=start, data=data[start : start + piece]) for start in starts]
    requests[0].digest.CopyFrom(digest_of(data))
    requests[-1].finish_write = True
    return requests


def _wrong_offset(draw: Any, requests: list[Any]) -> None:
    draw(st.sampled_from(requests)).write_offset = draw(st.sampled_from(_OFFSETS))


def _no_digest(draw: Any, requests: list[Any]) -> None:
    requests[0].ClearField("digest")


def _digest_again(draw: Any, requests: list[Any]) -> None:
    draw(st.sampled_from(requests)).digest.CopyFrom(digest_of(draw(st.binary(max_size=5))))


def _half_a_digest(draw: Any, requests: list[Any]) -> None:
    digest = requests[0].digest
    if draw(st.booleans()):
        digest.size_bytes = draw(st.sampled_from(_SIZES))
    else:
        texts = (digest.sha256[:-1], digest.sha256.upper(), digest.sha256 + "0", "../" * 20, "")
        digest.sha256 = draw(st.sampled_from(texts))


def _early_finish(draw: Any, requests: list[Any]) -> None:
    draw(st.sampled_from(requests)).finish_write = True


def _no_finish(draw: Any, requests: list[Any]) -> None:
    for request in requests:
        request.finish_write = False


def _shuffle(draw: Any, requests: list[Any]) -> None:
    requests[:] = draw(st.permutations(requests))


def _twice(draw: Any, requests: list[Any]) -> None:
    requests.append(draw(st.sampled_from(requests)))


def _cut_off(draw: Any, requests: list[Any]) -> None:
    del requests[draw(st.integers(0, len(requests) - 1)) :]


def _other_data(draw: Any, requests: list[Any]) -> None:
    big = st.sampled_from((b"x" * ((1 << 20) + 1), b""))
    draw(st.sampled_from(requests)).data = draw(st.one_of(st.binary(max_size=50), big))


def _lease(draw: Any, requests: list[Any]) -> None:
    draw(st.sampled_from(requests)).lease_id = draw(st.text(max_size=10))


_CHANGES = (
    _wrong_offset,
    _no_digest,
    _digest_again,
    _half_a_digest,
    _early_finish,
    _no_finish,
    _shuffle,
    _twice,
    _cut_off,
    _other_data,
    _lease,
)
