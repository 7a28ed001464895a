"""One connection's TLS and its way to gRPC's server.

Not asyncio's own TLS: that closes a refused connection without the alert that says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

_READ_BYTES = 1 << 18
_LAST_WORD_S = 1.0
_LAST_READS = 16


class TlsSocket:
    """The server's end. Reads and writes are as slow as the other end: nothing is heaped up."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._sending = asyncio.Lock()

    async def handshake(self) -> dict[str, object]:
        """The peer's certificate, as ``getpeercert`` gives it. Raises ssl.SSLError, OSError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            else:
                await self._flush()
                return dict(self._tls.getpeercert() or {})

    async def say_why(self) -> None:
        """The alert that tells the other end why it was refused, and time to read it: a socket
        closed with unread bytes would reset the connection and take the alert along."""
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(self._last_word(), _LAST_WORD_S)

    async def read(self) -> bytes:
        """b"" at the end. Raises ssl.SSLError, OSError."""
        while True:
            pieces = []
            try:
                while piece := self._tls.read(_READ_BYTES):
                    pieces.append(piece)
            except ssl.SSLWantReadError:
                if pieces:
                    return b"".join(pieces)
                await self._flush()
                await self._fill()
            except ssl.SSLZeroReturnError:
                return b"".join(pieces)
            else:
                return b"".join(pieces)

    async def write(self, data: bytes) -> None:
        """Raises ssl.SSLError, OSError."""
        left = memoryview(data)
        while left:
            left = left[self._tls.write(left) :]
        await self._flush()

    async def _last_word(self) -> None:
        await self._flush()
        self._sock.shutdown(socket.SHUT_WR)
        for _ in range(_LAST_READS):
            if not await self._loop.sock_recv(self._sock, _READ_BYTES):
                return

    async def _fill(self) -> None:
        data = await self._loop.sock_recv(self._sock, _READ_BYTES)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        async with self._sending:
            while data := self._outgoing.read():
                await self._loop.sock_sendall(self._sock, data)


async def relay(outer: TlsSocket, inner: socket.socket) -> None:
    """Until one of the two ends it."""
    ways = [asyncio.create_task(_up(outer, inner)), asyncio.create_task(_down(outer, inner))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _up(outer: TlsSocket, inner: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await outer.read():
        await loop.sock_sendall(inner, data)


async def _down(outer: TlsSocket, inner: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(inner, _READ_BYTES):
        await outer.write(data)
