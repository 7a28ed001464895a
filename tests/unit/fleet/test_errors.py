"""What a status of gRPC's means for a device, and so whether it is asked again."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata
from trimtab.fleet.client import AgentClient
from trimtab.fleet.errors import DeviceUnreachable, translated
from trimtab_protos.errors import InternalError, NotServed


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("UNAVAILABLE", DeviceUnreachable),
        ("DEADLINE_EXCEEDED", DeviceUnreachable),
        ("CANCELLED", DeviceUnreachable),  # the agent's server ends, or is made anew
        ("UNIMPLEMENTED", NotServed),
        ("UNKNOWN", InternalError),
    ],
)
def test_a_status_without_details_is_told_with_the_devices_name(
    code: str, meaning: type[Exception]
) -> None:
    status = AioRpcError(grpc.StatusCode[code], Metadata(), Metadata(), details="so it\nwas")
    with pytest.raises(meaning, match=r"pi5.*: so it was"), translated("pi5"):
        raise status


def why_not(address: str) -> str:
    """What is told of ``pi5`` there, without its beginning."""

    async def ask() -> None:
        async with AgentClient("pi5", address) as client:
            await client.device_info()

    with pytest.raises(DeviceUnreachable) as caught:
        asyncio.run(ask())
    begin, _, why = str(caught.value).partition("no agent answers for device pi5: ")
    assert not begin
    return why


@contextmanager
def hanging_up(
    family: socket.AddressFamily, place: str | tuple[str, int]
) -> Iterator[socket.socket]:
    """It takes connections and ends each at its first bytes, as TLS does with plain text."""
    listener = socket.socket(family)
    listener.bind(place)
    listener.listen(20)

    def serve() -> None:
        while True:
            try:
                taken, _ = listener.accept()
            except OSError:
                return
            with taken:
                taken.recv(4096)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_who_speaks_in_the_clear_to_tls_is_told_the_address_with_tls(tmp_path: Path) -> None:
    with hanging_up(socket.AF_INET, ("127.0.0.1", 0)) as there:
        place = f"127.0.0.1:{there.getsockname()[1]}"
        hint = f"; an agent with an identity is reached at tls://{place}"
        assert why_not(place) == f"what listens at {place} hangs up{hint}"

    path = tmp_path / "forwarded.sock"
    with hanging_up(socket.AF_UNIX, str(path)):
        assert why_not(f"unix:{path}") == f"what listens at {path} hangs up"


def test_an_agent_that_is_not_there_is_told_in_our_words(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # it does not listen
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        assert why_not(place) == f"nothing listens at {place}: the connection is refused"

    path = tmp_path / "agent.sock"
    assert why_not(f"unix:{path}") == f"there is no socket {path}"
    path = tmp_path / "left-behind.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    assert why_not(f"unix:{path}") == f"nothing listens at {path}: the connection is refused"


def test_a_place_in_version_6_is_written_as_it_is_typed() -> None:
    text = (
        "failed to connect to all addresses; last error: UNAVAILABLE: ipv6:%5B::1%5D:7433: "
        "Socket closed"
    )
    status = AioRpcError(grpc.StatusCode.UNAVAILABLE, Metadata(), Metadata(), details=text)
    with pytest.raises(DeviceUnreachable, match=r"at tls://\[::1\]:7433$"), translated("pi5"):
        raise status
