"""A gRPC handler of any kind, served within a context of ours."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import Any

import grpc

_KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
Within = Callable[[Any], AbstractContextManager[None]]


def served_within(handler: Any, within: Within) -> Any:
    """The same handler; ``within`` is given the call's context, and may raise to refuse it."""
    kind = next(each for each in _KINDS if getattr(handler, each))
    inner = getattr(handler, kind)
    # A stream's coroutine writes to the context itself.
    wrap = _generator if inspect.isasyncgenfunction(inner) else _coroutine
    make = getattr(grpc, f"{kind}_rpc_method_handler")
    return make(wrap(inner, within), handler.request_deserializer, handler.response_serializer)


def _coroutine(inner: Any, within: Within) -> Any:
    async def served(request: Any, context: Any) -> Any:
        with within(context):
            return await inner(request, context)

    return served


def _generator(inner: Any, within: Within) -> Any:
    async def served(request: Any, context: Any) -> AsyncIterator[Any]:
        with within(context):
            async for response in inner(request, context):
                yield response

    return served
