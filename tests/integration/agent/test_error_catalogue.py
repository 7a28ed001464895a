"""Every class of the catalogue crosses a real wire and arrives as itself."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import status_pb2
from trimtab_agent.interceptors import ErrorInterceptor
from trimtab_protos.errors import CATALOGUE, DETAILS_KEY, InternalError, status_to_error

_UNARY = "/test.Raiser/Unary"
_STREAM = "/test.Raiser/Stream"


def _raise(request: bytes) -> None:
    name = request.decode()
    if name == "UNEXPECTED":
        raise KeyError("/home/somebody/secret")
    raise CATALOGUE[name]("what went wrong: ü", field="arms[0].name")


async def _unary(request: bytes, context: Any) -> bytes:
    _raise(request)
    return b""


async def _stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
    yield b"one answer before the error"
    _raise(request)


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    handlers: dict[str, Any] = {
        "Unary": grpc.unary_unary_rpc_method_handler(_unary),
        "Stream": grpc.unary_stream_rpc_method_handler(_stream),
    }
    server = grpc.aio.server(interceptors=[ErrorInterceptor()])
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("test.Raiser", handlers),)
    )
    with tempfile.TemporaryDirectory(prefix="tt-") as folder:
        address = f"unix:{Path(folder)}/s"
        server.add_insecure_port(address)
        await server.start()
        async with grpc.aio.insecure_channel(address) as channel:
            yield channel
        await server.stop(None)


async def _call(channel: Any, method: str, name: str) -> None:
    if method == _UNARY:
        await channel.unary_unary(method)(name.encode())
        return
    async for _ in channel.unary_stream(method)(name.encode()):
        pass


async def _error(channel: grpc.aio.Channel, method: str, name: str) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _call(channel, method, name)
    return caught.value


def _from_details(error: grpc.aio.AioRpcError) -> Any:
    details = dict(error.trailing_metadata())[DETAILS_KEY]
    return status_to_error(status_pb2.Status.FromString(details))


@pytest.mark.parametrize("method", [_UNARY, _STREAM])
async def test_every_error_arrives_as_its_class(channel: grpc.aio.Channel, method: str) -> None:
    for name, cls in CATALOGUE.items():
        status = await _error(channel, method, name)
        assert status.code() == cls.code, name
        arrived = _from_details(status)
        assert type(arrived) is cls
        assert arrived.message == status.details() == "what went wrong: ü"
        assert arrived.metadata == {"field": "arms[0].name"}
        assert cls.help


@pytest.mark.parametrize("method", [_UNARY, _STREAM])
async def test_an_unexpected_error_is_internal_and_tells_nothing_of_the_device(
    channel: grpc.aio.Channel, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    status = await _error(channel, method, "UNEXPECTED")
    arrived = _from_details(status)
    assert type(arrived) is InternalError
    assert status.code() == grpc.StatusCode.INTERNAL
    assert "secret" not in arrived.message
    assert "KeyError" in arrived.message
    assert arrived.metadata["incident"] in arrived.message
    assert arrived.metadata["incident"] in caplog.text
    assert "secret" in caplog.text
