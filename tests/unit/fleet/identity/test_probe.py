"""What a host is told of a device that ends the connection, or says nothing."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from trimtab.fleet.errors import DeviceUnreachable
from trimtab.fleet.identity import probe as probe_module
from trimtab.fleet.identity.authority import Authority, open_authority
from trimtab.fleet.identity.folder import FleetFolder
from trimtab.fleet.identity.probe import probe

_WITHOUT_WORD = r"pi5 .* closed the connection without a word"
_Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return open_authority(FleetFolder(tmp_path / "fleet"))


async def _told(authority: Authority, answer: _Answer, context: ssl.SSLContext | None) -> None:
    """Looks at a device that answers so."""
    ann = authority.issue("operator", "ann")
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await asyncio.wait_for(probe("127.0.0.1", port, "pi5", ann), 60)


def _devices_context(authority: Authority, folder: Path) -> ssl.SSLContext:
    bundle = authority.issue("device", "pi5")
    path = folder / "pi5.pem"
    path.write_bytes(bundle.key + b"\n" + bundle.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.mark.parametrize("reset", [True, False])
async def test_a_connection_that_is_not_taken_is_said_to_be_that(
    authority: Authority, reset: bool
) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if reset:
            at_once = struct.pack("ii", 1, 0)
            plain: socket.socket = writer.get_extra_info("socket")
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        writer.close()

    with pytest.raises(DeviceUnreachable, match=_WITHOUT_WORD):
        await _told(authority, answer, None)


async def test_silence_after_the_handshake_is_no_unreachable_address(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe_module, "_CONNECT_S", probe_module._CONNECT_S / 10)
    monkeypatch.setattr(probe_module, "_VERDICT_S", probe_module._VERDICT_S / 10)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        writer.close()

    with pytest.raises(DeviceUnreachable, match=_WITHOUT_WORD):
        await _told(authority, answer, _devices_context(authority, tmp_path))


async def test_silence_before_the_handshake_is_a_connection_that_timed_out(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe_module, "_CONNECT_S", 0.2)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        writer.close()

    with pytest.raises(DeviceUnreachable, match="nothing answers: the connection timed out"):
        await _told(authority, answer, None)
