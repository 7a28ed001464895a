"""Whose turn it is to send, and what goes first when room is needed."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from trimtab_agent import partial_file, uploads
from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.collection import GRACE_S, Collector
from trimtab_agent.partial_file import PartialFile
from trimtab_agent.uploads import MAX_UNDER_WAY, Uploads
from trimtab_protos.digest import Digest, digest_bytes
from trimtab_protos.errors import OffsetMismatch, RateLimited, StoreFull

DATA = b"0123456789" * 100
DIGEST = digest_bytes(DATA)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


@pytest.fixture
def taker(store: ArtifactStore) -> Uploads:
    return Uploads(store, max_bytes=10_000, collector=Collector(store, 0, 0, set))


def begun(store: ArtifactStore, number: int, size: int, ago_s: float = 0) -> Digest:
    """Half of a file of ``size`` bytes, broken off so long ago."""
    digest = digest_bytes(bytes([number]) * size)
    path = store.partial_path(digest)
    path.write_bytes(bytes([number]) * (size // 2))
    os.utime(path, (0, path.stat().st_mtime - ago_s))
    return digest


async def test_a_second_connection_waits_while_the_first_one_sends(
    store: ArtifactStore, taker: Uploads
) -> None:
    async with taker.receive(DIGEST) as first:
        await first.write(0, DATA[:300])
        with pytest.raises(OffsetMismatch, match="another connection sends it"):
            await taker.receive(DIGEST).__aenter__()
        await first.write(300, DATA[300:])
        await first.finish()
    assert store.has(DIGEST)


async def test_a_silent_connection_loses_its_turn_and_nothing_of_what_it_sent(
    store: ArtifactStore, taker: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with taker.receive(DIGEST) as silent:
        await silent.write(0, DATA[:300])
        monkeypatch.setattr(uploads, "SILENT_S", 0)
        async with taker.receive(DIGEST) as second:
            with pytest.raises(OffsetMismatch):
                await silent.write(300, DATA[300:])
            assert taker.committed_size(DIGEST) == 300
            await second.write(300, DATA[300:])
            await second.finish()
    assert store.path(DIGEST).read_bytes() == DATA


async def test_only_so_many_at_once(taker: Uploads) -> None:
    taken = [taker.receive(digest_bytes(bytes([each]))) for each in range(MAX_UNDER_WAY)]
    for each in taken:
        await each.__aenter__()
    with pytest.raises(RateLimited) as caught:
        await taker.receive(DIGEST).__aenter__()
    assert float(caught.value.metadata["retry_after_s"]) > 0
    await taken[0].__aexit__(None, None, None)
    async with taker.receive(DIGEST):
        pass
    for each in taken[1:]:
        await each.__aexit__(None, None, None)


async def test_a_cancelled_connection_leaves_whole_pieces_and_no_thread(
    store: ArtifactStore, taker: Uploads
) -> None:
    async def send() -> None:
        async with taker.receive(DIGEST) as upload:
            await upload.write(0, DATA[:300])
            await asyncio.sleep(60)

    sending = asyncio.create_task(send())
    while taker.committed_size(DIGEST) < 300:  # noqa: ASYNC110 - of another thread
        await asyncio.sleep(0.001)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert store.partial_path(DIGEST).read_bytes() == DATA[:300]
    async with taker.receive(DIGEST) as upload:
        await upload.write(300, DATA[300:])
        await upload.finish()


async def test_the_reserve_is_not_touched_while_a_file_comes(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    free = [5000]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9000, 0, free[0]))
    taker = Uploads(store, 10_000, Collector(store, 0, reserve_bytes=2000, needed=set))
    async with taker.receive(DIGEST) as upload:
        await upload.write(0, DATA[:300])
        assert await upload.settle() == 300
        free[0] = 2100
        await upload.write(300, DATA[300:])
        with pytest.raises(StoreFull, match="100 bytes are free beside the 2000 kept in reserve"):
            await upload.settle()
    assert taker.committed_size(DIGEST) == 300


async def test_a_full_disk_is_not_left_with_the_half_of_a_file(
    store: ArtifactStore, taker: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: PartialFile, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "full")

    async with taker.receive(DIGEST) as upload:
        await upload.write(0, DATA[:300])
        await upload.settle()
        monkeypatch.setattr(PartialFile, "append", full)
        await upload.write(300, DATA[300:600])
        with pytest.raises(StoreFull):
            await upload.write(600, DATA[600:])
    assert list(store.partials()) == []


def test_a_piece_that_does_not_fit_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = PartialFile(tmp_path / "f")
    file.append(b"whole")

    class Full:
        def write(self, data: memoryview) -> int:
            with (tmp_path / "f").open("ab") as torn:
                torn.write(data[:2])
            raise OSError(errno.ENOSPC, "full")

    kept = file._file
    file._file = Full()  # type: ignore[assignment]
    with pytest.raises(OSError, match="full"):
        file.append(b"more")
    file._file = kept
    assert (tmp_path / "f").read_bytes() == b"whole"
    file.append(b", after all")
    assert file.sha256 == digest_bytes(b"whole, after all").sha256
    file.close()


def test_the_disk_is_given_work_while_a_file_comes_and_its_error_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def failing(descriptor: int) -> None:
        asked.append(descriptor)
        raise OSError(errno.EIO, "worn out")

    monkeypatch.setattr(partial_file, "_SYNC_EVERY_BYTES", 10)
    monkeypatch.setattr(os, "fdatasync", failing)
    file = PartialFile(tmp_path / "f")
    file.append(b"123")
    assert asked == []
    file.append(b"45678901")
    with pytest.raises(OSError, match="worn out"):
        file.sync()
    assert len(asked) == 1
    file.close()


def test_what_was_broken_off_counts_and_goes_in_its_turn(
    store: ArtifactStore, tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(b"x" * 1000)
    unused = store.add_file(tmp_path / "f")
    os.utime(store.path(unused), (0, store.path(unused).stat().st_mtime - 2 * GRACE_S))
    stale, fresh, moving = (
        begun(store, number, 2000, ago) for number, ago in ((1, 2 * GRACE_S), (2, 0), (3, 0))
    )

    def left() -> tuple[set[Digest], bool]:
        return {each.digest for each in store.partials()}, store.has(unused)

    collector = Collector(store, 4000, 0, set)
    collector.make_room(0, {moving})
    assert left() == ({stale, fresh, moving}, True)
    collector.make_room(1000, {moving})
    assert left() == ({fresh, moving}, True)
    collector.make_room(2000, {moving})
    assert left() == ({fresh, moving}, False)
    collector.make_room(3000, {moving})
    assert left() == ({moving}, False)
    with pytest.raises(StoreFull, match="1000 of the quota of 4000 are taken"):
        collector.make_room(3001, {moving})


def test_what_was_abandoned_for_a_week_is_gone_when_the_agent_starts(
    store: ArtifactStore,
) -> None:
    begun(store, 1, 100, ago_s=8 * 24 * 3600)
    recent = begun(store, 2, 100, ago_s=6 * 24 * 3600)
    Uploads(store, 10_000, Collector(store, 0, 0, set))
    assert [each.digest for each in store.partials()] == [recent]
