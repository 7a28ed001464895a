"""Files by content: verified before they have a name, resumable, safe for several senders."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections import namedtuple
from pathlib import Path

import pytest
from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.collection import GRACE_S, Collector
from trimtab_agent.records import FileRef
from trimtab_agent.uploads import Uploads
from trimtab_protos.digest import Digest, digest_bytes
from trimtab_protos.errors import (
    ArtifactMissing,
    ArtifactTooLarge,
    DigestMismatch,
    OffsetMismatch,
    StoreFull,
)

DATA = b"0123456789" * 100
DIGEST = digest_bytes(DATA)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


@pytest.fixture
def uploads(store: ArtifactStore) -> Uploads:
    return Uploads(store, max_bytes=10_000, collector=Collector(store, 0, 0, set))


async def send(uploads: Uploads, digest: Digest, data: bytes) -> None:
    async with uploads.receive(digest) as upload:
        await upload.write(0, data)
        await upload.finish()


def files(store: ArtifactStore) -> list[Path]:
    return [path for path in store.partial_dir.parent.rglob("*") if path.is_file()]


async def test_a_file_has_a_name_only_once_it_is_whole(
    store: ArtifactStore, uploads: Uploads
) -> None:
    async with uploads.receive(DIGEST) as upload:
        assert await upload.write(0, DATA[:300]) == 300
        assert store.missing([DIGEST, DIGEST]) == (DIGEST,)
        assert await upload.write(300, DATA[300:]) == len(DATA)
        assert not store.has(DIGEST)
        await upload.finish()
    assert store.missing([DIGEST]) == ()
    assert store.path(DIGEST).read_bytes() == DATA
    assert len(files(store)) == 1


async def test_an_upload_is_resumed_by_another_agent(tmp_path: Path) -> None:
    for start, end in ((0, 300), (300, 1000)):
        store = ArtifactStore(tmp_path)
        uploads = Uploads(store, max_bytes=10_000, collector=Collector(store, 0, 0, set))
        assert uploads.committed_size(DIGEST) == start
        async with uploads.receive(DIGEST) as upload:
            await upload.write(start, DATA[start:end])
            if end == len(DATA):
                await upload.finish()
    assert store.path(DIGEST).read_bytes() == DATA


@pytest.mark.parametrize(
    "sent", [b"x" + DATA[1:], DATA[:-1], DATA + b"x"], ids=["other", "less", "more"]
)
async def test_wrong_content_is_refused_and_leaves_nothing(
    store: ArtifactStore, uploads: Uploads, sent: bytes
) -> None:
    with pytest.raises(DigestMismatch):
        await send(uploads, DIGEST, sent)
    assert files(store) == []
    assert uploads.committed_size(DIGEST) == 0
    await send(uploads, DIGEST, DATA)
    assert store.has(DIGEST)


async def test_a_damaged_partial_file_is_found_at_the_end(
    store: ArtifactStore, uploads: Uploads
) -> None:
    async with uploads.receive(DIGEST) as upload:
        await upload.write(0, DATA[:500])
    (partial,) = files(store)
    partial.write_bytes(b"?" * 500)
    async with uploads.receive(DIGEST) as upload:
        await upload.write(500, DATA[500:])
        with pytest.raises(DigestMismatch):
            await upload.finish()
    assert files(store) == []


async def test_a_piece_must_begin_where_the_last_ended(uploads: Uploads) -> None:
    async with uploads.receive(DIGEST) as upload:
        await upload.write(0, DATA[:300])
        for offset in (0, 299, 301):
            with pytest.raises(OffsetMismatch) as caught:
                await upload.write(offset, b"x")
            assert caught.value.metadata["committed_size"] == "300"


async def test_two_senders_of_one_file_do_not_garble_it(
    store: ArtifactStore, uploads: Uploads
) -> None:
    async def sender() -> None:
        while not store.has(DIGEST):
            offset = uploads.committed_size(DIGEST)
            try:
                async with uploads.receive(DIGEST) as upload:
                    offset = await upload.write(offset, DATA[offset : offset + 100])
                    if offset == len(DATA):
                        await upload.finish()
            except OffsetMismatch:
                await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.gather(sender(), sender(), sender()), timeout=20)
    assert store.path(DIGEST).read_bytes() == DATA
    assert len(files(store)) == 1


async def test_what_is_too_large_is_refused_before_a_byte_is_taken(
    store: ArtifactStore, uploads: Uploads
) -> None:
    with pytest.raises(ArtifactTooLarge):
        await send(uploads, Digest("0" * 64, 10_001), b"x")
    assert files(store) == []


async def test_uploads_under_way_count_against_the_free_disk(
    store: ArtifactStore, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(5000, 3500, 1500))
    async with uploads.receive(DIGEST) as upload:
        await upload.write(0, DATA[:100])
        with pytest.raises(StoreFull):
            await send(uploads, Digest("1" * 64, 601), b"x")
    await send(uploads, digest_bytes(b"small"), b"small")


async def test_reading_begins_anywhere_and_refuses_what_is_outside(
    store: ArtifactStore, uploads: Uploads
) -> None:
    await send(uploads, DIGEST, DATA)
    assert b"".join([piece async for piece in store.read(DIGEST, 990)]) == DATA[990:]
    with pytest.raises(OffsetMismatch):
        await anext(store.read(DIGEST, 1001))
    with pytest.raises(ArtifactMissing):
        await anext(store.read(digest_bytes(b"other"), 0))


def test_a_jobs_files_lie_under_their_names(store: ArtifactStore, tmp_path: Path) -> None:
    for name in ("model", "weights"):
        (tmp_path / name).write_text(name)
    refs = tuple(
        FileRef(f"{name}.bin", store.add_file(tmp_path / name)) for name in ("model", "weights")
    )
    model = store.materialize(refs, tmp_path / "job")
    assert model == tmp_path / "job" / "model.bin"
    assert model.read_text() == "model"
    assert (tmp_path / "job" / "weights.bin").read_text() == "weights"
    assert not model.is_symlink()


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "a/b", "..", ""])  # noqa: S108
def test_a_name_is_never_a_path(store: ArtifactStore, tmp_path: Path, name: str) -> None:
    (tmp_path / "f").write_text("x")
    digest = store.add_file(tmp_path / "f")
    with pytest.raises(ValueError, match="bare file name"):
        store.materialize((FileRef(name, digest),), tmp_path / "deep" / "job")


def test_a_file_of_the_wrong_size_is_not_the_artifact(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    digest = store.add_file(tmp_path / "f")
    assert not store.has(Digest(digest.sha256, 2))
    store.path(digest).chmod(0o600)
    store.path(digest).write_text("longer")
    assert not store.has(digest)


def stored(store: ArtifactStore, tmp_path: Path, number: int, used_ago_s: float) -> Digest:
    """A file of 1,000 bytes."""
    file = tmp_path / "sent"
    file.write_bytes(bytes([number]) * 1000)
    digest = store.add_file(file)
    path = store.path(digest)
    os.utime(path, (0, path.stat().st_mtime - used_ago_s))
    return digest


def test_what_was_used_longest_ago_makes_room_and_no_more_than_that(
    store: ArtifactStore, tmp_path: Path
) -> None:
    oldest, older, old, fresh = (
        stored(store, tmp_path, number, ago)
        for number, ago in enumerate((4 * GRACE_S, 3 * GRACE_S, 2 * GRACE_S, 0))
    )
    Collector(store, 5000, 0, set).make_room(1000)
    assert all(map(store.has, (oldest, older, old, fresh))), "it fits"
    Collector(store, 5000, 0, set).make_room(2500)
    assert [store.has(each) for each in (oldest, older, old, fresh)] == [False, False, True, True]


def test_what_a_job_needs_and_what_was_just_asked_for_stays(
    store: ArtifactStore, tmp_path: Path
) -> None:
    needed, asked, free = (stored(store, tmp_path, number, 2 * GRACE_S) for number in range(3))
    assert store.missing([asked]) == ()
    collector = Collector(store, 3000, 0, lambda: {needed})
    collector.make_room(1000)
    assert [store.has(each) for each in (needed, asked, free)] == [True, True, False]
    with pytest.raises(StoreFull) as caught:
        collector.make_room(1001)
    assert "2000 of the quota of 3000 are taken" in caught.value.message
    assert "needed by jobs, or was used in the last 10 minutes" in caught.value.message
    assert [store.has(each) for each in (needed, asked)] == [True, True]


def test_a_job_that_uses_a_file_makes_it_new(store: ArtifactStore, tmp_path: Path) -> None:
    digest = stored(store, tmp_path, 1, 2 * GRACE_S)
    store.materialize((FileRef("m.onnx", digest),), tmp_path / "job")
    (kept,) = store.kept()
    assert time.time() - kept.used_at < GRACE_S
