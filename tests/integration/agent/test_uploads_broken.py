"""Pushes and pulls over bad networks, with agents that die, and for several hosts at once."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from fault_proxy import FaultProxy, Faults
from trimtab.fleet import transfer
from trimtab.fleet.client import AgentClient
from trimtab.fleet.errors import DeviceUnreachable
from trimtab.fleet.transfer import FilesRefused, part_of, pull, push
from trimtab.fleet.uploads import upload, upload_status
from trimtab_protos.digest import Digest, digest_file
from trimtab_protos.errors import ArtifactTooLarge, DigestMismatch

_CHUNK = 1 << 20
# What a killed process had in its own memory beside that: a piece being written, one read ahead.
_HALF_A_CHUNK = 1 << 19
_MB = 1_000_000
_SIZES = [24 * _MB, pytest.param(200 * _MB, marks=pytest.mark.slow)]


def _random_file(folder: Path, size: int) -> tuple[Path, Digest]:
    path = folder / f"file-{size}"
    with path.open("wb") as file:
        for begin in range(0, size, _CHUNK):
            file.write(os.urandom(min(_CHUNK, size - begin)))
    return path, digest_file(path)


async def _push(address: str, path: Path, digest: Digest, sent: list[Path] | None = None) -> None:
    async with AgentClient("board", address) as client:
        noted = [] if sent is None else sent
        await push(client, [(path, digest)], _CHUNK, lambda path, size: noted.append(path))


async def _until_passed(proxy: FaultProxy, count: int) -> None:
    while proxy.passed("up") < count:  # noqa: ASYNC110 - of another thread
        await asyncio.sleep(0.002)


async def _until_still(proxy: FaultProxy) -> None:
    before = -1
    while before != (before := proxy.passed("up")):  # noqa: ASYNC110 - of another thread
        await asyncio.sleep(0.3)


def _sent_again(proxy: FaultProxy, size: int) -> int:
    """Beside the frames' own bytes."""
    return proxy.passed("up") - size - size // 1000


async def _has(address: str, digest: Digest) -> bool:
    async with AgentClient("board", address) as client:
        return (await upload_status(client, digest)).is_complete


@pytest.mark.parametrize("size", _SIZES)
async def test_a_cut_upload_goes_on_within_a_chunk_of_where_it_broke(
    start_agent: Any, tmp_path: Path, size: int
) -> None:
    path, digest = _random_file(tmp_path, size)
    agent = start_agent(listen="127.0.0.1:0")
    with FaultProxy(agent.address) as proxy:
        proxy.set(Faults(cut_after=size // 3))
        await _push(proxy.address, path, digest)
        assert proxy.connections == 2
        assert _sent_again(proxy, size) <= _CHUNK
    assert await _has(agent.address, digest)


@pytest.mark.parametrize("size", _SIZES)
async def test_also_where_the_agent_was_behind_with_taking(
    start_agent: Any, tmp_path: Path, size: int
) -> None:
    path, digest = _random_file(tmp_path, size)
    agent = start_agent(listen="127.0.0.1:0")
    with FaultProxy(agent.address) as proxy:
        pushing = asyncio.create_task(_push(proxy.address, path, digest))
        await _until_passed(proxy, size // 2)
        os.kill(agent.pid, signal.SIGSTOP)
        await _until_still(proxy)
        proxy.cut()
        os.kill(agent.pid, signal.SIGCONT)
        await pushing
        assert _sent_again(proxy, size) <= _CHUNK
    assert await _has(agent.address, digest)


@pytest.mark.parametrize("size", _SIZES)
async def test_an_agent_killed_in_an_upload_is_sent_the_rest(
    start_agent: Any, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_ATTEMPTS", 1000)  # however long it takes to start again
    monkeypatch.setattr(transfer, "_LONGEST_PAUSE_S", 0.5)
    path, digest = _random_file(tmp_path, size)
    agent = start_agent()
    with FaultProxy(agent.address) as proxy:
        pushing = asyncio.create_task(_push(proxy.address, path, digest))
        await _until_passed(proxy, size // 2)
        agent.stop(signal.SIGKILL)
        before = proxy.passed("up")
        await asyncio.to_thread(start_agent, state=agent.state, listen=agent.address)
        await pushing
        assert before < size
        assert _sent_again(proxy, size) <= _CHUNK + _HALF_A_CHUNK
    assert await _has(agent.address, digest)


async def test_two_hosts_that_push_the_same_file_send_it_once(
    start_agent: Any, tmp_path: Path
) -> None:
    path, digest = _random_file(tmp_path, 24 * _MB)
    agent = start_agent(listen="127.0.0.1:0")
    sent: list[Path] = []
    with FaultProxy(agent.address) as proxy:
        await asyncio.gather(*(_push(proxy.address, path, digest, sent) for _ in range(2)))
        assert sent == [path]
        assert _sent_again(proxy, digest.size_bytes) <= 1 << 17
    assert await _has(agent.address, digest)


async def test_a_stalled_line_and_a_frozen_agent_are_not_waited_for_for_ever(
    start_agent: Any, tmp_path: Path
) -> None:
    path, digest = _random_file(tmp_path, 24 * _MB)
    agent = start_agent(listen="127.0.0.1:0")
    with FaultProxy(agent.address) as proxy:
        proxy.set(Faults(stall_after=5 * _MB))
        async with AgentClient("board", proxy.address) as client:
            with pytest.raises(DeviceUnreachable, match=r"nothing got through .* for 1 s"):
                await upload(client, path, digest, 0, _CHUNK, stall_s=1)
    async with AgentClient("board", agent.address) as client:
        size = (await upload_status(client, digest)).committed_bytes
        assert 4 * _MB < size < 6 * _MB
        os.kill(agent.pid, signal.SIGSTOP)
        try:
            with pytest.raises(DeviceUnreachable, match=r"nothing got through"):
                await upload(client, path, digest, size, _CHUNK, stall_s=1)
        finally:
            os.kill(agent.pid, signal.SIGCONT)
    await _push(agent.address, path, digest)
    assert await _has(agent.address, digest)


async def test_a_line_that_stays_broken_is_given_up(
    start_agent: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_FIRST_PAUSE_S", 0.01)
    path, digest = _random_file(tmp_path, 8 * _MB)
    agent = start_agent(listen="127.0.0.1:0")
    with FaultProxy(agent.address) as proxy:
        proxy.set(Faults(cut_after=4 * _MB, refuse_after_cut=True))
        with pytest.raises(DeviceUnreachable):
            await _push(proxy.address, path, digest)


async def test_two_devices_may_send_back_the_same_file_at_once(
    start_agent: Any, tmp_path: Path
) -> None:
    path, digest = _random_file(tmp_path, 8 * _MB)
    agents = [start_agent() for _ in range(2)]

    async def there_and_back(number: int) -> None:
        await _push(agents[number].address, path, digest)
        async with AgentClient(f"board-{number}", agents[number].address) as client:
            await pull(client, digest, tmp_path / "back")

    await asyncio.gather(there_and_back(0), there_and_back(1))
    assert digest_file(tmp_path / "back") == digest
    assert list(tmp_path.glob("*.part")) == []


async def test_a_file_too_large_for_the_device_does_not_keep_the_others_back(
    start_agent: Any, tmp_path: Path
) -> None:
    agent = start_agent("--max-artifact-mb", "2")
    large, small = _random_file(tmp_path, 3 * _MB), _random_file(tmp_path, _MB)
    async with AgentClient("board", agent.address) as client:
        with pytest.raises(FilesRefused) as caught:
            await push(client, [large, small], _CHUNK, lambda path, size: None)
    assert list(caught.value.errors) == [large[1]]
    assert isinstance(caught.value.first, ArtifactTooLarge)
    assert await _has(agent.address, small[1])


async def test_a_file_that_changed_meanwhile_is_refused_and_leaves_nothing(
    start_agent: Any, tmp_path: Path
) -> None:
    path, digest = _random_file(tmp_path, 3 * _MB)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    agent = start_agent()
    with pytest.raises(DigestMismatch):
        await _push(agent.address, path, Digest(digest.sha256, digest.size_bytes))
    assert [each for each in (agent.state / "artifacts").rglob("*") if each.is_file()] == []


async def test_a_damaged_beginning_is_sent_again(start_agent: Any, tmp_path: Path) -> None:
    path, digest = _random_file(tmp_path, 3 * _MB)
    agent = start_agent()
    partial = agent.state / "artifacts" / "partial" / f"{digest.sha256}-{digest.size_bytes}"
    partial.write_bytes(b"?" * _MB)
    await _push(agent.address, path, digest)
    assert await _has(agent.address, digest)


async def test_a_cut_download_goes_on_where_it_broke(start_agent: Any, tmp_path: Path) -> None:
    path, digest = _random_file(tmp_path, 24 * _MB)
    agent = start_agent(listen="127.0.0.1:0")
    await _push(agent.address, path, digest)
    with FaultProxy(agent.address) as proxy:
        proxy.set(Faults(cut_after=15 * _MB, direction="down"))
        async with AgentClient("board", proxy.address) as client:
            await pull(client, digest, tmp_path / "back")
        assert proxy.connections == 2
        assert proxy.passed("down") < digest.size_bytes + 8 * _MB
    assert digest_file(tmp_path / "back") == digest
    assert list(tmp_path.glob("*.part")) == []


async def test_a_download_goes_on_in_another_process_but_not_with_something_else(
    start_agent: Any, tmp_path: Path
) -> None:
    path, digest = _random_file(tmp_path, 3 * _MB)
    agent = start_agent(listen="127.0.0.1:0")
    await _push(agent.address, path, digest)
    part = part_of(tmp_path / "back", "board")
    with FaultProxy(agent.address) as proxy:
        async with AgentClient("board", proxy.address) as client:
            part.write_bytes(path.read_bytes()[: 2 * _MB])
            await pull(client, digest, tmp_path / "back")
            assert proxy.passed("down") < 1.1 * _MB
            (tmp_path / "back").unlink()
            for other in (b"?" * _MB, b"?" * 4 * _MB):
                part.write_bytes(other)
                await pull(client, digest, tmp_path / "back")
                assert digest_file(tmp_path / "back") == digest
