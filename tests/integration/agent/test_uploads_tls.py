"""A push over mutual TLS through a network that cuts it goes on where it broke."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from fault_proxy import FaultProxy, Faults
from trimtab.fleet.client import AgentClient
from trimtab.fleet.transfer import push
from trimtab.fleet.uploads import upload_status
from trimtab_protos.digest import Digest, digest_file

_CHUNK = 1 << 20
_SIZE = 20_000_000
# Frames of HTTP/2 and records of TLS: each 16 KiB of a record has some 30 bytes more.
_FRAMING = _SIZE // 250
_HANDSHAKES = 64 << 10


@pytest.fixture
def file(tmp_path: Path) -> tuple[Path, Digest]:
    path = tmp_path / "model.onnx"
    path.write_bytes(os.urandom(_SIZE))
    return path, digest_file(path)


@pytest.fixture
def agent(start_agent: Any, pi5_identity: str) -> Any:
    return start_agent("--identity", pi5_identity, listen="127.0.0.1:0")


async def _push(proxy: FaultProxy, file: tuple[Path, Digest]) -> None:
    async with AgentClient("pi5", f"tls://{proxy.address}") as client:
        await push(client, [file], _CHUNK, lambda path, size: None)


async def _kept(agent: Any, digest: Digest) -> Digest:
    """Of the file as it lies on the agent's disk, which says that it is whole."""
    async with AgentClient("pi5", f"tls://{agent.address}") as client:
        assert (await upload_status(client, digest)).is_complete
    (path,) = (
        each
        for each in (agent.state / "artifacts").rglob("*")
        if each.is_file() and each.stat().st_size == digest.size_bytes
    )
    return digest_file(path)


def _sent_again(proxy: FaultProxy) -> int:
    return proxy.passed("up") - _SIZE - _FRAMING - _HANDSHAKES


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
async def test_a_cut_push_goes_on_within_a_chunk_of_where_it_broke(
    agent: Any, file: tuple[Path, Digest], share: float
) -> None:
    with FaultProxy(agent.address) as proxy:
        proxy.set(Faults(cut_after=int(share * _SIZE)))
        await _push(proxy, file)
        assert proxy.connections >= 3, "a look before, one that was cut, one that went on"
        assert _sent_again(proxy) <= _CHUNK
    assert await _kept(agent, file[1]) == file[1]


async def test_also_where_the_agent_was_behind_with_taking(
    agent: Any, file: tuple[Path, Digest]
) -> None:
    """What the front and the kernel hold of a connection when it is cut is all that is lost."""
    with FaultProxy(agent.address) as proxy:
        pushing = asyncio.create_task(_push(proxy, file))
        while proxy.passed("up") < _SIZE // 2:  # noqa: ASYNC110 - of another thread
            await asyncio.sleep(0.002)
        os.kill(agent.pid, signal.SIGSTOP)
        before = -1
        while before != (before := proxy.passed("up")):  # noqa: ASYNC110 - of another thread
            await asyncio.sleep(0.3)
        proxy.cut()
        os.kill(agent.pid, signal.SIGCONT)
        await pushing
        assert before < _SIZE
        assert _sent_again(proxy) <= _CHUNK
    assert await _kept(agent, file[1]) == file[1]


async def test_nothing_of_the_file_can_be_read_on_the_line(
    agent: Any, file: tuple[Path, Digest], tmp_path: Path
) -> None:
    """A relay that notes what passes sees the bytes of a push in the clear, and none of this."""
    plain = tmp_path / "plain.onnx"
    plain.write_bytes(b"a model that nobody else may read" * 40_000)
    noted = bytearray()

    class Noting(FaultProxy):
        async def _hand_on(self, way: Any, came_at: float, data: bytes, writer: Any) -> None:
            noted.extend(data)
            await super()._hand_on(way, came_at, data, writer)

    with Noting(agent.address) as proxy:
        await _push(proxy, (plain, digest_file(plain)))
    assert len(noted) > plain.stat().st_size
    assert b"a model that nobody" not in noted
