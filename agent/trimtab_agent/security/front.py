"""The public port: who comes is checked, and whoever may come is led to gRPC's server."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from trimtab_agent.config import ConfigError, NetworkAddress
from trimtab_agent.security.bundle import BundleError
from trimtab_agent.security.contexts import Whose, whose
from trimtab_agent.security.identity import DeviceIdentity
from trimtab_agent.security.peer import OPERATOR, VIEWER, Peer, forget, remember
from trimtab_agent.security.places import PlaceLimits, Places
from trimtab_agent.security.refusal_log import RefusalLog
from trimtab_agent.security.refusals import why_refused
from trimtab_agent.security.relay import TlsSocket, relay

_LOG = logging.getLogger(__name__)
_HANDSHAKE_S = 10.0
_BACKLOG = 128
_EXHAUSTED_PAUSE_S = 0.5
# A peer that is gone without a word is noticed in two minutes.
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3))
_STALLED_MS = 120_000


class Front:
    """``inner``: the Unix socket of gRPC's server, in a folder that is its owner's alone."""

    def __init__(
        self,
        identity: DeviceIdentity,
        listen: NetworkAddress,
        inner: Path,
        limits: PlaceLimits = PlaceLimits(),  # noqa: B008 - frozen
    ) -> None:
        self.refused = 0  # since the agent started
        self._identity = identity
        self._listen = listen
        self._inner = inner
        self._places = Places(limits)
        self._refusals = RefusalLog(_LOG)
        self._numbers = itertools.count()
        self._open: dict[asyncio.Task[None], Whose] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket: socket.socket | None = None
        identity.on_revoked = self._close_revoked

    def bind(self) -> str:
        """Returns the address. Raises ConfigError."""
        host = self._listen.host.strip("[]")
        try:
            found = socket.getaddrinfo(host, self._listen.port, type=socket.SOCK_STREAM)
            family, _, _, _, where = found[0]
            both = host == "::" and socket.has_dualstack_ipv6()
            self._socket = socket.create_server(
                where[:2], family=family, backlog=_BACKLOG, dualstack_ipv6=both
            )
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {self._listen}: {error.strerror or error}; "
                "choose another --listen"
            ) from error
        self._socket.setblocking(False)
        return f"{self._listen.host}:{self._socket.getsockname()[1]}"

    def start(self) -> None:
        problem = self._identity.clock_problem()
        if problem:
            _LOG.warning("%s", problem)
        self._spawn(self._accept())

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()
        self._refusals.tell_left_out()

    def _close_revoked(self, serials: frozenset[int]) -> None:
        for task, peer in self._open.items():
            if peer.serial in serials:
                _LOG.warning("closing a connection of %s: its certificate is revoked", peer.name)
                # Not at once: the revoker may be among them, and gets the answer.
                asyncio.get_running_loop().call_later(_EXHAUSTED_PAUSE_S, task.cancel)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        assert self._socket is not None  # noqa: S101 - bound before
        while True:
            try:
                sock, where = await loop.sock_accept(self._socket)
            except OSError as error:  # out of descriptors, mostly: trying on at once would spin
                _LOG.warning("cannot take a connection: %s", error.strerror)
                await asyncio.sleep(_EXHAUSTED_PAUSE_S)
                continue
            address = str(where[0])
            refusal = self._places.take(address)
            if refusal:
                self._refuse(address, refusal)
                sock.close()
                continue
            self._spawn(self._serve(sock, address))

    async def _serve(self, sock: socket.socket, address: str) -> None:
        try:
            with sock:
                with self._places.shaking_hands(address):
                    _keep_alive(sock)
                    outer = TlsSocket(sock, self._identity.context)
                    caller = await self._let_in(outer, address)
                # Nothing may be waited for from _let_in's last look at the list until _lead has
                # noted the connection: a list that came between would miss it.
                if caller is not None:
                    await self._lead(outer, caller, address)
        except OSError as error:  # also ssl.SSLError
            _LOG.info("the connection of %s broke: %s", address, error)
        finally:
            self._places.give_back(address)

    async def _let_in(self, outer: TlsSocket, address: str) -> Whose | None:
        """None where it was refused, which is then counted and in the log."""
        try:
            certificate = await asyncio.wait_for(outer.handshake(), _HANDSHAKE_S)
            caller = whose(certificate)
        except (OSError, asyncio.TimeoutError) as error:  # ssl.SSLError is an OSError
            self._refuse(address, why_refused(error))
            await outer.say_why()
            return None
        except BundleError as error:
            self._refuse(address, str(error))
            return None
        why = self._why_not(caller)
        if why:
            self._refuse(address, why)
        return None if why else caller

    def _why_not(self, caller: Whose) -> str:
        """ "" for who may come in. A handshake goes by the list of its beginning, and whoever
        draws it out may have been revoked since."""
        if caller.role not in (OPERATOR, VIEWER) or caller.fleet_id != self._identity.fleet_id:
            return f"{caller.name} is a {caller.role}, no caller"
        if caller.serial in self._identity.revocations.serials:
            return f"{caller.name}'s certificate was revoked during its handshake"
        return ""

    def _refuse(self, address: str, why: str) -> None:
        self.refused += 1
        self._refusals.tell(address, why)

    async def _lead(self, outer: TlsSocket, caller: Whose, address: str) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - runs in one
        own_end = self._inner.with_name(f"p{next(self._numbers)}")
        with socket.socket(socket.AF_UNIX) as inner:
            inner.setblocking(False)
            inner.bind(str(own_end))
            remember(str(own_end), Peer(caller.name, caller.role, authenticated=True))
            self._open[task] = caller
            _LOG.info("%s (%s) connected from %s", caller.name, caller.role, address)
            try:
                await asyncio.get_running_loop().sock_connect(inner, str(self._inner))
                own_end.unlink()
                await relay(outer, inner)
            finally:
                self._open.pop(task, None)
                forget(str(own_end))
                with contextlib.suppress(FileNotFoundError):
                    own_end.unlink()


def _keep_alive(sock: socket.socket) -> None:
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALLED_MS)
