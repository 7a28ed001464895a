"""Nothing is served to whom the table of roles does not allow it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from trimtab_protos.errors import IdentityRefused, RoleInsufficient

from trimtab_agent.security.peer import peer_of
from trimtab_agent.security.roles import may, role_needed

_LOG = logging.getLogger(__name__)


class RoleInterceptor(grpc.aio.ServerInterceptor):
    """Stands within the one that turns exceptions into statuses, before anything is counted."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        return None if handler is None else _guarded(handler, handler_call_details.method)


def check_role(context: Any, method: str) -> None:
    """Raises RoleInsufficient, or IdentityRefused for whom nobody vouches."""
    peer, needed = peer_of(context), role_needed(method)
    if may(peer.role, needed):
        return
    short = method.rpartition("/")[2]
    if not peer.role:
        raise IdentityRefused(f"{short}: the connection's certificate is not in force (any more)")
    _LOG.warning("refused %s to %s: a %s may only look", short, peer.name, peer.role)
    message = f"{short} needs the role {needed}; {peer.name} is a {peer.role}"
    raise RoleInsufficient(message, role=peer.role, needed=needed)


def _guarded(handler: Any, method: str) -> Any:
    kinds = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
    kind = next(each for each in kinds if getattr(handler, each))
    inner = getattr(handler, kind)
    wrap = _generator if inspect.isasyncgenfunction(inner) else _coroutine
    make = getattr(grpc, f"{kind}_rpc_method_handler")
    return make(wrap(inner, method), handler.request_deserializer, handler.response_serializer)


def _coroutine(inner: Any, method: str) -> Any:
    async def guarded(request: Any, context: Any) -> Any:
        check_role(context, method)
        return await inner(request, context)

    return guarded


def _generator(inner: Any, method: str) -> Any:
    async def guarded(request: Any, context: Any) -> AsyncIterator[Any]:
        check_role(context, method)
        async for response in inner(request, context):
            yield response

    return guarded
