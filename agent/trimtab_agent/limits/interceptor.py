"""Every call but the health service's is counted to its caller before it is served."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from trimtab_agent.callers import caller_key
from trimtab_agent.limits.callers import Callers

_EXEMPT = "/grpc.health.v1.Health/"


class LimitInterceptor(grpc.aio.ServerInterceptor):
    """Stands within the one that turns exceptions into statuses."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith(_EXEMPT):
            return handler
        return _limited(handler, self._callers)


def _limited(handler: Any, callers: Callers) -> Any:
    if handler.response_streaming:
        if handler.request_streaming:
            return handler  # server reflection only
        inner = handler.unary_stream
        make = grpc.unary_stream_rpc_method_handler
        behavior = _stream if inspect.isasyncgenfunction(inner) else _unary
    elif handler.request_streaming:
        inner, make, behavior = handler.stream_unary, grpc.stream_unary_rpc_method_handler, _unary
    else:
        inner, make, behavior = handler.unary_unary, grpc.unary_unary_rpc_method_handler, _unary
    limited = behavior(inner, callers)
    return make(limited, handler.request_deserializer, handler.response_serializer)


def _unary(inner: Any, callers: Callers) -> Any:
    """Also for a stream whose coroutine writes to the context itself."""

    async def limited(request: Any, context: Any) -> Any:
        with callers.admitted(caller_key(context)):
            return await inner(request, context)

    return limited


def _stream(inner: Any, callers: Callers) -> Any:
    async def limited(request: Any, context: Any) -> AsyncIterator[Any]:
        with callers.admitted(caller_key(context)):
            async for response in inner(request, context):
                yield response

    return limited
