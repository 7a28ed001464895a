"""The one place where exceptions become gRPC statuses."""

from __future__ import annotations

import errno
import inspect
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc
import grpc.aio
from trimtab_protos.errors import (
    DETAILS_KEY,
    InternalError,
    SpecInvalid,
    StoreFull,
    TrimtabError,
    error_to_status,
)

from trimtab_agent.callers import certificate_name

_LOG = logging.getLogger(__name__)
# Message and details both travel in headers, which gRPC limits to 8 KiB by default.
_MAX_MESSAGE_LENGTH = 1500
_UNREADABLE = object()


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Catalogue errors pass as they are; of anything else only its type leaves the device."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method.rpartition("/")[2]
        if handler.response_streaming:
            return _guard_stream(handler, method)
        return _guard_unary(handler, method)


def _guard_unary(handler: Any, method: str) -> Any:
    inner = handler.stream_unary if handler.request_streaming else handler.unary_unary

    readable = _readable_stream if handler.request_streaming else _readable

    async def guarded(request: Any, context: Any) -> Any:
        try:
            return await inner(readable(request), context)
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            await _abort(context, error, method)

    make = (
        grpc.stream_unary_rpc_method_handler
        if handler.request_streaming
        else grpc.unary_unary_rpc_method_handler
    )
    return make(guarded, _reader(handler), handler.response_serializer)


def _guard_stream(handler: Any, method: str) -> Any:
    """For generators, and for coroutines that write to the context themselves."""
    inner = handler.unary_stream

    async def guarded_generator(request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            async for response in inner(_readable(request), context):
                yield response
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            await _abort(context, error, method)

    async def guarded_coroutine(request: Any, context: Any) -> None:
        try:
            await inner(_readable(request), context)
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            await _abort(context, error, method)

    if handler.request_streaming:
        return handler  # server reflection only; it answers for itself
    guarded = guarded_generator if inspect.isasyncgenfunction(inner) else guarded_coroutine
    return grpc.unary_stream_rpc_method_handler(
        guarded, _reader(handler), handler.response_serializer
    )


def _reader(handler: Any) -> Callable[[bytes], Any]:
    """gRPC itself would answer UNKNOWN for bytes that are no message, before anybody is asked."""

    def read(data: bytes) -> Any:
        if handler.request_deserializer is None:  # the bytes themselves are what is asked for
            return data
        try:
            return handler.request_deserializer(data)
        except Exception:
            return _UNREADABLE

    return read


def _readable(request: Any) -> Any:
    """Raises SpecInvalid."""
    if request is _UNREADABLE:
        raise SpecInvalid("the request cannot be read: its bytes are no message", field="request")
    return request


async def _readable_stream(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _readable(request)


async def _abort(context: Any, error: Exception, method: str) -> NoReturn:
    known = error if isinstance(error, TrimtabError) else _full(error)
    known = known or _unexpected(error, method, certificate_name(context))
    message = known.message[:_MAX_MESSAGE_LENGTH]
    shortened = type(known)(message, **known.metadata)
    status = error_to_status(shortened).SerializeToString()
    await context.abort(known.code, message, trailing_metadata=((DETAILS_KEY, status),))
    raise AssertionError("abort always raises")


def _full(error: Exception) -> StoreFull | None:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull("the device's disk is full")
    return None


def _unexpected(error: Exception, method: str, peer: str) -> InternalError:
    incident = secrets.token_hex(4)
    _LOG.error("incident %s in %s", incident, method, exc_info=error, extra={"peer": peer})
    return InternalError(
        f"{method} failed unexpectedly with {type(error).__name__}; "
        f"the agent's log on the device tells more under incident {incident}",
        incident=incident,
    )
