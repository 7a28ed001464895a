"""Every call is counted to its caller before it is served, but for the one that only asks whether
the agent lives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from trimtab_agent.callers import caller_key
from trimtab_agent.limits.callers import Callers
from trimtab_agent.serving import served_within

_EXEMPT = "/grpc.health.v1.Health/Check"


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
        if handler is None or handler_call_details.method == _EXEMPT:
            return handler
        return served_within(handler, lambda context: self._callers.admitted(caller_key(context)))
