"""Files to and from a device that is busy, or that answers with an error for a while."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from trimtab.fleet import transfer
from trimtab.fleet.transfer import part_of, pull
from trimtab.fleet.uploads import UploadStatus
from trimtab_protos.digest import digest_bytes
from trimtab_protos.errors import (
    ArtifactMissing,
    DeviceMeasuring,
    DigestMismatch,
    InternalError,
    OffsetMismatch,
)

DATA = b"x" * 1000
FILE = digest_bytes(DATA)


class Named:
    device = "pi5"


CLIENT: Any = Named()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    loop = SimpleNamespace(sleep=sleep, to_thread=asyncio.to_thread)
    monkeypatch.setattr("trimtab.fleet.transfer.asyncio", loop)
    monkeypatch.setattr("trimtab.fleet.transfer.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def sends(monkeypatch: pytest.MonkeyPatch, upload: Any) -> None:
    async def status(client: object, digest: object) -> UploadStatus:
        return UploadStatus(0, is_complete=False)

    monkeypatch.setattr(transfer, "upload_status", status)
    monkeypatch.setattr(transfer, "upload", upload)


async def test_another_host_is_waited_for_also_after_a_long_measurement(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    async def upload(*given: object) -> bool:
        if clock[0] < 120:
            raise DeviceMeasuring("the device is measuring")
        if clock[0] < 150:
            raise OffsetMismatch("another connection sends it", committed_size="0")
        return True

    sends(monkeypatch, upload)
    assert await transfer._send(CLIENT, Path("x"), FILE, 1, transfer._Tries(lambda: None))


async def test_a_host_that_does_not_get_on_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    async def upload(*given: object) -> bool:
        raise OffsetMismatch("another connection sends it", committed_size="0")

    sends(monkeypatch, upload)
    with pytest.raises(OffsetMismatch):
        await transfer._send(CLIENT, Path("x"), FILE, 1, transfer._Tries(lambda: None))


@pytest.mark.parametrize(("error", "left"), [(InternalError, 400), (ArtifactMissing, 400)])
async def test_what_came_stays_where_the_device_fails(
    monkeypatch: pytest.MonkeyPatch,
    clock: list[float],
    tmp_path: Path,
    error: type[Exception],
    left: int,
) -> None:
    async def download(client: object, digest: object, part: Path) -> None:
        part.write_bytes(DATA[:left])
        raise error("no")

    monkeypatch.setattr(transfer, "download", download)
    with pytest.raises(error):
        await pull(CLIENT, FILE, tmp_path / "back")
    assert part_of(tmp_path / "back", "pi5").stat().st_size == left


async def test_a_file_is_on_the_disk_before_it_has_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
        fsync(descriptor)

    async def download(client: object, digest: object, part: Path) -> None:
        part.write_bytes(DATA)

    monkeypatch.setattr(transfer, "download", download)
    monkeypatch.setattr("trimtab_protos.syncing.os.fsync", note)
    await pull(CLIENT, FILE, tmp_path / "back")
    assert synced == [part_of(tmp_path / "back", "pi5").name, tmp_path.name]


async def test_another_file_than_the_one_named_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def download(client: object, digest: object, part: Path) -> None:
        part.write_bytes(b"?")

    monkeypatch.setattr(transfer, "download", download)
    with pytest.raises(DigestMismatch):
        await pull(CLIENT, FILE, tmp_path / "back")
    assert list(tmp_path.iterdir()) == []


async def test_each_piece_that_gets_through_is_heard_of(
    monkeypatch: pytest.MonkeyPatch, clock: list[float], tmp_path: Path
) -> None:
    heard: list[int] = []

    async def download(client: object, digest: object, part: Path) -> None:
        size = part.stat().st_size if part.exists() else 0
        part.write_bytes(DATA[: size + 250])
        if size + 250 < len(DATA):
            raise InternalError("the line broke")

    monkeypatch.setattr(transfer, "download", download)
    await pull(CLIENT, FILE, tmp_path / "back", lambda: heard.append(1))
    assert len(heard) == 2  # the first look only tells where it begins
