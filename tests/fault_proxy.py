"""A bad network between a client and an agent: cut, delay, throttle, stall, refuse, heal.

From a test (synchronous or not; the proxy runs in a thread of its own)::

    with FaultProxy(agent.address) as proxy:          # "127.0.0.1:PORT" or "unix:PATH"
        channel = grpc.insecure_channel(proxy.address)
        proxy.set(Faults(cut_after=1_000_000))         # cut once 1 MB went up from now on
        ...
        proxy.heal()                                   # whatever was set is over
        proxy.cut()                                    # every connection, now; new ones go through
        proxy.refuse()                                 # nobody gets through until healed
        assert proxy.passed("up") < 1_200_000          # bytes handed to the agent so far

As a process (``PYTHONPATH=tests``), for a host that runs in another one; it prints ``PROXY
ADDRESS``, then takes the same commands as lines on standard input and ends when that is closed::

    python -m fault_proxy 127.0.0.1:0 unix:/tmp/a.sock --cut-after 1000000
    set delay_s=0.2 bytes_per_s=100000
    set cut_after=0
    heal
    cut
    refuse
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

Direction = Literal["up", "down"]
_READ_BYTES = 1 << 18
_DELAYED_READ_BYTES = 1 << 14
_READS_AHEAD = 64
_LOOK_AGAIN_S = 0.005
_START_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Faults:
    """None, 0 and 0: the line is as good as it gets. Bytes are counted from when this was set.

    ``cut_after``: all connections are aborted once so many bytes went ``direction``; then the
    line is healed, or with ``refuse_after_cut`` lets nobody through. ``stall_after``: from there on
    nothing is handed on, and nothing closed. ``delay_s``: of each piece, each way. ``bytes_per_s``:
    each way of each connection.
    """

    cut_after: int | None = None
    stall_after: int | None = None
    delay_s: float = 0.0
    bytes_per_s: float = 0.0
    direction: Direction = "up"
    refuse_after_cut: bool = False


_NONE = Faults()


class FaultProxy:
    """``target`` and ``listen``: as gRPC takes them. A context; ``address`` is valid inside.

    ``connections``: how many were accepted so far.
    """

    def __init__(self, target: str, listen: str = "127.0.0.1:0") -> None:
        self.address = ""
        self.connections = 0
        self._target = target
        self._listen = listen
        self._faults = _NONE
        self._refusing = False
        self._since: dict[Direction, int] = {"up": 0, "down": 0}
        self._passed: dict[Direction, int] = {"up": 0, "down": 0}
        self._open: set[asyncio.StreamWriter] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._problem: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._main, name="fault-proxy", daemon=True)

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        if not self._ready.wait(_START_TIMEOUT_S):
            raise TimeoutError("the fault proxy did not start")
        if self._problem is not None:
            raise self._problem
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_START_TIMEOUT_S)

    def set(self, faults: Faults) -> None:
        """From now on, for the connections that are open and those to come."""
        self._on_loop(lambda: self._set(faults))

    def heal(self) -> None:
        """What a stalled connection held back goes on."""
        self.set(_NONE)

    def cut(self) -> None:
        self._on_loop(self._abort)

    def refuse(self) -> None:
        """Cut, and abort every new connection until healed."""

        def refuse() -> None:
            self._refusing = True
            self._abort()

        self._on_loop(refuse)

    def passed(self, direction: Direction) -> int:
        """Bytes handed on so far: ``up`` to the target."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._on_loop(lambda: None)  # one that was just handed on is not counted before
        return self._passed[direction]

    def _on_loop(self, action: Callable[[], None]) -> None:
        """Done when it returns."""
        assert self._loop is not None, "the proxy is a context: use it in a with statement"
        done = threading.Event()

        def act() -> None:
            action()
            done.set()

        self._loop.call_soon_threadsafe(act)
        done.wait(_START_TIMEOUT_S)

    def _set(self, faults: Faults) -> None:
        self._faults, self._refusing = faults, False
        self._since = dict(self._passed)

    def _abort(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._problem = error
        self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        if self._listen.startswith("unix:"):
            path = self._listen.removeprefix("unix:")
            server: asyncio.Server = await asyncio.start_unix_server(self._accept, path)
            self.address = self._listen
        else:
            host, port = _host_port(self._listen)
            server = await asyncio.start_server(self._accept, host, port)
            self.address = f"{host}:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in list(self._handlers):
            task.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)
        if self._listen.startswith("unix:"):
            Path(self._listen.removeprefix("unix:")).unlink(missing_ok=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self.connections += 1
        try:
            await self._relay(reader, writer)
        except asyncio.CancelledError:  # the proxy's own end: nobody waits for this task
            pass
        finally:
            self._handlers.discard(task)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._known(writer):
            if self._refusing:
                return
            try:
                far_reader, far_writer = await self._connect()
            except OSError:
                return
            async with self._known(far_writer):
                pumps = [
                    asyncio.ensure_future(self._pump("up", reader, far_writer)),
                    asyncio.ensure_future(self._pump("down", far_reader, writer)),
                ]
                try:
                    # One way closed for good: so is the other, once what is under way is through.
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pump in pumps:
                        pump.cancel()
                    await asyncio.gather(*pumps, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _known(self, writer: asyncio.StreamWriter) -> Any:
        self._open.add(writer)
        # What counts as passed is then in the kernel's hands, not in a buffer that a cut drops.
        writer.transport.set_write_buffer_limits(0)
        try:
            yield
        finally:
            self._open.discard(writer)
            writer.transport.abort() if writer.transport.is_closing() else writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._target.startswith("unix:"):
            return await asyncio.open_unix_connection(self._target.removeprefix("unix:"))
        return await asyncio.open_connection(*_host_port(self._target))

    async def _pump(
        self, way: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_READS_AHEAD)
        reading = asyncio.ensure_future(self._read(reader, pieces))
        try:
            while True:
                came_at, data = await pieces.get()
                if not data:
                    return
                await self._hand_on(way, came_at, data, writer)
        except OSError:
            return
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(
        self, reader: asyncio.StreamReader, pieces: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        data = b"?"
        while data:
            plain = self._faults == _NONE or self._faults.cut_after is not None
            try:
                data = await reader.read(_READ_BYTES if plain else _DELAYED_READ_BYTES)
            except OSError:
                data = b""
            await pieces.put((time.monotonic(), data))

    async def _hand_on(
        self, way: Direction, came_at: float, data: bytes, writer: asyncio.StreamWriter
    ) -> None:
        while data:
            if self._faults.delay_s:
                await asyncio.sleep(max(0.0, came_at + self._faults.delay_s - time.monotonic()))
            while self._left(way, self._faults.stall_after) == 0:  # noqa: ASYNC110 - or healed
                await asyncio.sleep(_LOOK_AGAIN_S)
            faults = self._faults
            limits = (self._left(way, faults.cut_after), self._left(way, faults.stall_after))
            piece = data[: min([len(data), *(each for each in limits if each is not None)])]
            data = data[len(piece) :]
            if faults.bytes_per_s:
                await asyncio.sleep(len(piece) / faults.bytes_per_s)
            writer.write(piece)
            await writer.drain()
            self._passed[way] += len(piece)  # not what an end that has gone never got
            if self._left(way, faults.cut_after) == 0 and self._faults is faults:
                self._cut_by(faults)
                raise ConnectionAbortedError

    def _left(self, way: Direction, limit: int | None) -> int | None:
        """Bytes that may still go this way; None: any number."""
        if limit is None or way != self._faults.direction:
            return None
        return max(0, limit - (self._passed[way] - self._since[way]))

    def _cut_by(self, faults: Faults) -> None:
        self._set(_NONE)
        self._refusing = faults.refuse_after_cut
        self._abort()


def _host_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def parse_faults(text: str) -> Faults:
    """``delay_s=0.2 cut_after=1000 direction=down refuse_after_cut=1``."""
    kinds: dict[str, Callable[[str], Any]] = {
        "cut_after": int,
        "stall_after": int,
        "delay_s": float,
        "bytes_per_s": float,
        "direction": str,
        "refuse_after_cut": lambda value: value not in ("", "0"),
    }
    assert set(kinds) == {field.name for field in fields(Faults)}
    given = dict(word.split("=", 1) for word in text.split())
    return Faults(**{name: kinds[name](value) for name, value in given.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description="A bad network between a client and an agent.")
    parser.add_argument("listen", help="127.0.0.1:PORT (0: any free one) or unix:PATH")
    parser.add_argument("target")
    for name in ("cut-after", "stall-after"):
        parser.add_argument(f"--{name}", type=int)
    for name in ("delay-s", "bytes-per-s"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    given = vars(parser.parse_args())
    with FaultProxy(given.pop("target"), given.pop("listen")) as proxy:
        proxy.set(Faults(**given))
        print(f"PROXY {proxy.address}", flush=True)  # noqa: T201
        for line in sys.stdin:
            command, _, rest = line.strip().partition(" ")
            if command == "set":
                proxy.set(parse_faults(rest))
            elif command in ("heal", "cut", "refuse"):
                {"heal": proxy.heal, "cut": proxy.cut, "refuse": proxy.refuse}[command]()


if __name__ == "__main__":
    main()
