"""Watches of the standard health service are calls like others; only Check is exempt."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from trimtab_protos.errors import RateLimited, TrimtabError

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
_MAX_CONCURRENT_STREAMS = 3  # RFC 9113, section 6.5.2


def _settings(path: str) -> dict[int, int]:
    """What the server says first."""
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(20)
        plain.connect(path)
        plain.sendall(_PREFACE)
        stream = plain.makefile("rb")
        head = stream.read(9)
        assert head[3] == 4, "a SETTINGS frame"
        return dict(struct.iter_unpack(">HI", stream.read(int.from_bytes(head[:3], "big"))))


def test_one_connection_has_so_many_calls_at_a_time(start_agent: Any) -> None:
    settings = _settings(start_agent().address.removeprefix("unix:"))
    assert settings[_MAX_CONCURRENT_STREAMS] == 100


def test_who_opens_watch_after_watch_is_told_when_to_ask_again(
    start_agent: Any, connect: Any, error_of: Callable[[Callable[[], object]], TrimtabError]
) -> None:
    client = connect(start_agent("--max-calls-per-second", "1").address)
    health: Any = health_pb2_grpc.HealthStub(client.channel)
    watches = []

    def watch_on_and_on() -> None:
        for _ in range(60):
            watches.append(health.Watch(health_pb2.HealthCheckRequest(), timeout=60))
            next(watches[-1])

    error = error_of(watch_on_and_on)
    assert isinstance(error, RateLimited)
    for _ in range(10):
        health.Check(health_pb2.HealthCheckRequest(), timeout=20)
    for each in watches:
        each.cancel()


def test_a_watch_that_ends_with_the_agent_leaves_no_traceback(
    start_agent: Any, connect: Any
) -> None:
    agent = start_agent()
    health: Any = health_pb2_grpc.HealthStub(connect(agent.address).channel)
    watches = [health.Watch(health_pb2.HealthCheckRequest(), timeout=60) for _ in range(10)]
    for each in watches:
        assert next(each).status == health_pb2.HealthCheckResponse.SERVING
    watches.pop().cancel()
    assert agent.stop() == 0
    for each in watches:
        assert next(each).status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.RpcError):
            next(each)
    log = agent.log.read_text()
    assert "Traceback" not in log
    assert "Exception" not in log
