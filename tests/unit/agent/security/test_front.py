"""The public port with a plain echo behind it: limits, time-outs, ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from trimtab.fleet.identity.authority import Authority
from trimtab.fleet.identity.probe import client_context
from trimtab_agent.config import NetworkAddress
from trimtab_agent.security import front as front_module
from trimtab_agent.security.front import Front
from trimtab_agent.security.identity import DeviceIdentity, load_identity
from trimtab_agent.security.peer import Peer, peer_of
from trimtab_agent.security.places import PlaceLimits

_SECONDS = 60.0
_SILENT = 64
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_OPENED: list[asyncio.StreamWriter] = []


class Echo:
    """Speaks first, as gRPC's server does, then sends back what it gets."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = writer.get_extra_info("peername")
        self.peers.append(peer_of(SimpleNamespace(peer=lambda: f"unix:{path}")))
        self.open += 1
        try:
            writer.write(b"!")
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        finally:
            self.open -= 1
            writer.close()


@contextlib.asynccontextmanager
async def _running(
    identity: DeviceIdentity, folder: Path, limits: PlaceLimits
) -> AsyncIterator[tuple[int, Echo]]:
    folder.mkdir()
    echo = Echo()
    server = await asyncio.start_unix_server(echo.serve, folder / "g")
    front = Front(identity, NetworkAddress("127.0.0.1", 0), folder / "g", limits)
    port = int(front.bind().rpartition(":")[2])
    front.start()
    try:
        yield port, echo
    finally:
        await front.stop()
        server.close()


async def _connect(port: int, context: ssl.SSLContext, own: str = "127.0.0.1") -> Streams:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="pi5", local_addr=(own, 0)
    )
    _OPENED.append(writer)
    assert await reader.readexactly(1) == b"!"
    return reader, writer


def _run(
    bundle_file: Callable[..., Path],
    test: Callable[[int, Echo, DeviceIdentity], Coroutine[Any, Any, None]],
    limits: PlaceLimits = PlaceLimits(),  # noqa: B008
) -> None:
    path = bundle_file()

    async def main() -> None:
        identity = load_identity(path)
        async with _running(identity, path.parent / "s", limits) as (port, echo):
            try:
                await asyncio.wait_for(test(port, echo, identity), _SECONDS)
            finally:
                while _OPENED:
                    _OPENED.pop().close()

    asyncio.run(main())


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.01)


def test_bytes_go_both_ways_unchanged_with_the_callers_name(
    bundle_file: Callable[..., Path], authority: Authority
) -> None:
    context = client_context(authority.issue("viewer", "ann"))
    sent = os.urandom(5_000_000)

    async def test(port: int, echo: Echo, _: DeviceIdentity) -> None:
        reader, writer = await _connect(port, context)
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent
        assert echo.peers == [Peer("ann", "viewer", authenticated=True)]
        writer.close()
        await _until(lambda: echo.open == 0)

    _run(bundle_file, test)


def test_whoever_does_not_read_is_not_read_from(
    bundle_file: Callable[..., Path], authority: Authority
) -> None:
    """Nothing is heaped up: what is on the way stays far below what was to be sent."""
    context = client_context(authority.issue("operator", "ann"))

    async def test(port: int, _: Echo, __: DeviceIdentity) -> None:
        writer = (await _connect(port, context))[1]
        assert isinstance(writer.transport, asyncio.Transport)
        writer.transport.pause_reading()
        sent = 0
        with contextlib.suppress(asyncio.TimeoutError):
            while sent < 200_000_000:
                writer.write(bytes(1_000_000))
                await asyncio.wait_for(writer.drain(), 1)
                sent += 1_000_000
        assert sent < 60_000_000
        writer.transport.abort()

    _run(bundle_file, test)


def test_one_address_gets_so_many_connections_and_they_are_given_back(
    bundle_file: Callable[..., Path], authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    context = client_context(authority.issue("operator", "ann"))

    async def test(port: int, echo: Echo, _: DeviceIdentity) -> None:
        writers = [(await _connect(port, context))[1] for _ in range(2)]
        with pytest.raises((OSError, EOFError)):
            await _connect(port, context)
        for writer in writers:
            writer.close()
        await _until(lambda: echo.open == 0)
        await asyncio.sleep(0.1)
        (await _connect(port, context))[1].close()

    _run(bundle_file, test, PlaceLimits(per_address=2))
    assert "2 connections are open from there" in caplog.text


def test_who_says_nothing_is_sent_away(
    bundle_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(front_module, "_HANDSHAKE_S", 0.2)

    async def test(port: int, _: Echo, __: DeviceIdentity) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        _OPENED.append(writer)
        assert await reader.read(100) == b""

    _run(bundle_file, test)
    assert "refused 127.0.0.1: its handshake took too long" in caplog.text


def test_connections_of_the_revoked_are_closed_and_others_stay(
    bundle_file: Callable[..., Path], authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ann = client_context(authority.issue("operator", "ann"))
    bob = client_context(authority.issue("operator", "bob"))

    async def test(port: int, _: Echo, identity: DeviceIdentity) -> None:
        ann_reader = (await _connect(port, ann))[0]
        bob_reader, bob_writer = await _connect(port, bob)
        authority.revoke("ann")
        identity.revoke(authority.revocations)
        with contextlib.suppress(OSError):
            assert await ann_reader.read(1) == b""
        bob_writer.write(b"still here")
        assert await bob_reader.readexactly(10) == b"still here"
        with pytest.raises(ssl.SSLError, match=r"(?i)revoked"):
            await _connect(port, ann)
        await _connect(port, bob)

    _run(bundle_file, test)
    assert "closing a connection of ann" in caplog.text
    assert "refused 127.0.0.1: its certificate is revoked" in caplog.text


class ParkedHandshake:
    """All of a handshake but its last word: the certificate and Finished are kept back."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="pi5")

    async def begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                writer.write(self._outgoing.read())
                self._incoming.write(await reader.read(1 << 16))
            else:
                return self._outgoing.read()


def test_who_draws_out_the_handshake_past_its_revocation_is_not_let_in(
    bundle_file: Callable[..., Path], authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    parked = ParkedHandshake(client_context(authority.issue("operator", "ann")))

    async def test(port: int, echo: Echo, identity: DeviceIdentity) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        _OPENED.append(writer)
        last_word = await parked.begin(reader, writer)
        authority.revoke("ann")
        identity.revoke(authority.revocations)
        writer.write(last_word)
        with contextlib.suppress(OSError):
            while await reader.read(1 << 16):
                pass
        assert echo.peers == []

    _run(bundle_file, test)
    assert "ann's certificate was revoked during its handshake" in caplog.text


def test_one_address_that_says_nothing_keeps_nobody_else_out(
    bundle_file: Callable[..., Path], authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    context = client_context(authority.issue("operator", "ann"))

    async def test(port: int, echo: Echo, __: DeviceIdentity) -> None:
        for _ in range(_SILENT):
            _OPENED.append((await asyncio.open_connection("127.0.0.1", port))[1])
        await _connect(port, context, own="127.0.0.2")
        assert echo.open == 1
        with pytest.raises(ConnectionError):
            await _connect(port, context)

    _run(bundle_file, test)
    assert "refused 127.0.0.1: 8 others from there are at their handshakes" in caplog.text
