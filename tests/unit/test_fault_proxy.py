"""The bad network of the tests does what it is told."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_proxy import FaultProxy, Faults

_TIMEOUT_S = 20.0


class _Sink:
    """Counts what arrives, and answers each connection's end with its size."""

    def __init__(self) -> None:
        self.received = bytearray()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._take, args=(connection,), daemon=True).start()

    def _take(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(1 << 16):
                    self.received += data
                    connection.sendall(b"got " + str(len(data)).encode())
            except OSError:
                return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(_TIMEOUT_S)


@pytest.fixture
def sink() -> Iterator[_Sink]:
    sink = _Sink()
    yield sink
    sink.close()


def _connected(proxy: FaultProxy) -> socket.socket:
    host, _, port = proxy.address.rpartition(":")
    return socket.create_connection((host, int(port)), _TIMEOUT_S)


def _ended(line: socket.socket) -> bool:
    """Whether the other end closed or reset it, in time."""
    try:
        while line.recv(1 << 16):
            pass
    except ConnectionError:
        pass
    return True


def test_a_good_line_hands_everything_on_both_ways(sink: _Sink) -> None:
    with FaultProxy(sink.address) as proxy, _connected(proxy) as line:
        line.sendall(b"hello")
        assert line.recv(100) == b"got 5"
        assert (proxy.passed("up"), proxy.passed("down"), proxy.connections) == (5, 5, 1)


def test_the_line_is_cut_after_exactly_so_many_bytes_and_heals(sink: _Sink) -> None:
    with FaultProxy(sink.address) as proxy:
        with _connected(proxy) as line:
            line.sendall(b"a" * 100)
            assert line.recv(100) == b"got 100"
            proxy.set(Faults(cut_after=1000))
            line.sendall(b"b" * 5000)
            assert _ended(line)
            assert proxy.passed("up") == 1100
        with _connected(proxy) as line:
            line.sendall(b"c" * 2000)
            assert line.recv(100).startswith(b"got ")


def test_a_line_that_refuses_lets_nobody_through_until_healed(sink: _Sink) -> None:
    with FaultProxy(sink.address) as proxy:
        proxy.refuse()
        with _connected(proxy) as line:
            assert _ended(line)
        assert not sink.received
        proxy.heal()
        with _connected(proxy) as line:
            line.sendall(b"x")
            assert line.recv(10) == b"got 1"


def test_a_stalled_line_holds_back_and_goes_on_when_healed(sink: _Sink) -> None:
    with FaultProxy(sink.address) as proxy, _connected(proxy) as line:
        proxy.set(Faults(stall_after=10))
        line.sendall(b"x" * 30)
        assert line.recv(100) == b"got 10"
        line.settimeout(0.2)
        with pytest.raises(TimeoutError):
            line.recv(100)
        line.settimeout(_TIMEOUT_S)
        proxy.heal()
        assert line.recv(100) == b"got 20"


def test_delay_and_rate_take_at_least_their_time(sink: _Sink) -> None:
    with FaultProxy(sink.address) as proxy, _connected(proxy) as line:
        for faults, least_s in ((Faults(delay_s=0.1), 0.2), (Faults(bytes_per_s=10_000), 0.1)):
            proxy.set(faults)
            before = time.monotonic()
            line.sendall(b"x" * 1000)
            assert line.recv(100).startswith(b"got ")
            assert time.monotonic() - before >= least_s


def test_as_a_process_between_unix_sockets(sink: _Sink, tmp_path: Path) -> None:
    here = f"unix:{tmp_path}/p.sock"
    command = [sys.executable, "-m", "fault_proxy", here, sink.address, "--stall-after", "3"]
    with subprocess.Popen(
        command,
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == f"PROXY {here}\n"
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(_TIMEOUT_S)
            line.connect(f"{tmp_path}/p.sock")
            line.sendall(b"12345")
            assert line.recv(100) == b"got 3"
            process.stdin.write("set delay_s=0.01\n")
            process.stdin.flush()
            assert line.recv(100) == b"got 2"
        process.stdin.close()
        assert process.wait(_TIMEOUT_S) == 0
