"""Bytes on the port with TLS: from anybody before the handshake, from one let in behind it."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import grpc
import psutil
import pytest
from fuzz.files import mutated
from fuzz.target import ANSWER_S, chosen_seed
from fuzz.wire import call_frames, mutated_exchange
from grpc_health.v1 import health_pb2, health_pb2_grpc
from trimtab.fleet.address import NetworkPlace
from trimtab.fleet.identity.authority import open_authority
from trimtab.fleet.identity.bundle import Bundle, write_private
from trimtab.fleet.identity.folder import FleetFolder
from trimtab.fleet.identity.link import TlsLink
from trimtab.fleet.identity.probe import client_context
from trimtab_protos.v1 import device_pb2

_SHORT, _LONG = 60, 10_000
_AFTER = 1000
_PATH = "/trimtab.v1.DeviceService/GetDeviceInfo"


class TlsPort:
    def __init__(self, agent: Any, bundle: Bundle) -> None:
        host, _, port = agent.address.rpartition(":")
        self.place = NetworkPlace(host, int(port))
        self.process = psutil.Process(agent.pid)
        self._log = agent.log
        self._context = client_context(bundle)
        options = [("grpc.ssl_target_name_override", "pi5"), ("grpc.enable_http_proxy", 0)]
        credentials = TlsLink("pi5", self.place, bundle).credentials()
        self.channel = grpc.secure_channel(str(self.place), credentials, options=options)
        self._health: Any = health_pb2_grpc.HealthStub(self.channel)

    def hello(self) -> bytes:
        """A right beginning of a handshake."""
        outgoing = ssl.MemoryBIO()
        tls = self._context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="pi5")
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        return outgoing.read()

    def before_handshake(self, random: Random) -> None:
        kinds = (
            mutated(self.hello(), random),
            self.hello() + random.randbytes(random.randrange(2000)),
            self.hello()[: random.randrange(300)],
            b"\x16\x03\x01\xff\xff" + random.randbytes(random.randrange(70_000)),
            random.randbytes(random.randrange(1, 5000)),
            mutated_exchange(random, _PATH, [b""]),
        )
        with contextlib.closing(self._plain()) as connection:
            _throw(connection, random.choice(kinds))

    def after_handshake(self, random: Random) -> None:
        request = device_pb2.GetDeviceInfoRequest().SerializeToString()
        data = mutated_exchange(random, _PATH, [request])
        with contextlib.closing(self._inside()) as connection:
            _throw(connection, data)

    def path_that_is_no_text(self) -> None:
        frames = call_frames("/trimtab.v1.Device\xff", [b""])
        with contextlib.closing(self._inside()) as connection:
            _throw(
                connection,
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"".join(each.encode() for each in frames),
            )

    def check_alive(self) -> None:
        for last in (False, False, True):
            try:
                request = health_pb2.HealthCheckRequest()
                self._health.Check(request, timeout=ANSWER_S, wait_for_ready=True)
            except grpc.RpcError as error:
                if last:
                    error.add_note(self._log.read_text(errors="replace")[-3000:])
                    raise
            else:
                return

    def _plain(self) -> socket.socket:
        connection = socket.create_connection((self.place.host, self.place.port), ANSWER_S)
        connection.settimeout(0.02)
        return connection

    def _inside(self) -> ssl.SSLSocket:
        plain = socket.create_connection((self.place.host, self.place.port), ANSWER_S)
        connection = self._context.wrap_socket(plain, server_hostname="pi5")
        connection.settimeout(0.05)
        return connection


def _throw(connection: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(data)
        while connection.recv(65536):
            pass


@pytest.fixture
def port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start_agent: Callable[..., Any]
) -> Iterator[TlsPort]:
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path / "home"))
    folder = FleetFolder(tmp_path / "home" / "fleet")
    authority = open_authority(folder)
    bundle = tmp_path / "pi5.identity"
    write_private(bundle, authority.issue("device", "pi5").pem())
    host = folder.host_bundle()
    assert host is not None
    served = TlsPort(start_agent("--identity", str(bundle), listen="127.0.0.1:0"), host)
    yield served
    served.channel.close()


def fire(port: TlsPort, seed: int, count: int, each: Callable[[int], None]) -> None:
    for number in range(count):
        random = Random(f"{seed}-{number}")
        try:
            (port.after_handshake if number % 3 == 0 else port.before_handshake)(random)
            port.check_alive()
        except BaseException as error:
            error.add_note(f"TRIMTAB_FUZZ_SEED={seed}, number {number}")
            raise
        each(number + 1)


def test_wrong_bytes_on_the_port_with_tls_do_no_harm(port: TlsPort) -> None:
    fire(port, chosen_seed(default=13), _SHORT, lambda number: None)
    for _ in range(3):
        port.path_that_is_no_text()
        port.check_alive()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_thousand_broken_connections_to_the_port_with_tls(port: TlsPort) -> None:
    held: dict[int, tuple[int, int]] = {}

    def keep(number: int) -> None:
        if number in (_AFTER, _LONG):
            held[number] = (port.process.memory_info().rss, port.process.num_fds())

    fire(port, chosen_seed(), _LONG, keep)
    (early_bytes, early_files), (late_bytes, late_files) = held[_AFTER], held[_LONG]
    assert late_bytes < 1.1 * early_bytes
    assert late_files <= early_files + 10  # of those just closed, some may still be open
