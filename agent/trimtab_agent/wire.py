"""gRPC's server, and a new one in its place where it breaks down: jobs and leases go on meanwhile.

gRPC's server for asyncio ends for good at the first call whose path is no UTF-8, which is one
frame for whoever can connect.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import grpc.aio

from trimtab_agent.config import ClearAddress, ConfigError, LoopbackAddress
from trimtab_agent.last_calls import last_calls_ended
from trimtab_agent.listening import bound

_LOG = logging.getLogger(__name__)
_END_S = 2.0
_LOOK_S = 1.0
_BIND_TRIES = 20


class Wire:
    """``make_server``: one with its services, not bound yet."""

    def __init__(self, make_server: Callable[[], grpc.aio.Server], listen: ClearAddress) -> None:
        self._make_server = make_server
        self._listen = listen
        self._binding = contextlib.ExitStack()
        self._server: grpc.aio.Server | None = None
        self._keeper: asyncio.Task[None] | None = None
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Its exception says why nothing can be served any more."""

    def bind(self) -> str:
        """Returns the address. Raises ConfigError where it cannot be bound."""
        server = self._make_server()
        address = self._binding.enter_context(bound(server, self._listen))
        self._server = server
        if isinstance(self._listen, LoopbackAddress):  # a later one takes the port that was chosen
            port = int(address.rpartition(":")[2])
            self._listen = LoopbackAddress(self._listen.host, port)
        return address

    async def start(self) -> None:
        """Once it is bound."""
        assert self._server is not None  # noqa: S101
        await self._server.start()
        self._keeper = asyncio.create_task(self._keep(self._server))

    async def stop(self, grace_s: float) -> None:
        """Calls under way get ``grace_s`` to end."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._server is not None:
            await self._server.stop(grace_s)
            await last_calls_ended()
        self._binding.close()

    async def _keep(self, server: grpc.aio.Server) -> None:
        while error := await _breakdown(server):
            _LOG.warning("gRPC's server broke down and is made anew: %s", error)
            self._binding.close()
            await _end(server)
            try:
                server = await self._anew()
            except Exception as reason:  # whatever it is: nobody is served any more
                self.broken.set_exception(reason)
                return

    async def _anew(self) -> grpc.aio.Server:
        """The port may be taken for a moment yet: by the sockets of the server before."""
        for left in reversed(range(_BIND_TRIES)):
            try:
                self.bind()
                break
            except ConfigError:
                if not left:
                    raise
                await asyncio.sleep(_LOOK_S)
        assert self._server is not None  # noqa: S101
        await self._server.start()
        return self._server


async def _breakdown(server: grpc.aio.Server) -> str:
    """What it broke down of, once it did; empty: it was stopped.

    The end that gRPC tells of comes only when the last call has ended, and nothing ends those.
    """
    # Not cancelled with this wait: that would cancel the end that stop() waits for, too.
    ending = asyncio.ensure_future(server.wait_for_termination())
    core: Any = vars(server)["_server"]  # nothing public tells
    while not ending.done() and core.is_running():
        await asyncio.wait({ending}, timeout=_LOOK_S)
    if not ending.done():
        _leave(ending)
        return "it takes no calls any more"
    error = ending.exception()
    return "" if error is None else repr(error)[-200:]


async def _end(server: grpc.aio.Server) -> None:
    """Its sockets are let go. Twice: the first may raise what it broke down of, and do no more.

    Not cancelled where it takes long: that would cancel the end that the second waits for, too.
    """
    for _ in range(2):
        ending = asyncio.ensure_future(server.stop(None))
        _leave(ending)
        await asyncio.wait({ending}, timeout=_END_S)


def _leave(ending: asyncio.Future[Any]) -> None:
    """Nobody asks what it raises, and asyncio need not say so."""
    ending.add_done_callback(lambda each: each.cancelled() or each.exception())
