"""Nothing is served to whom the table of roles does not allow it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import grpc.aio
from trimtab_protos.errors import IdentityRefused, RoleInsufficient

from trimtab_agent.security.peer import peer_of
from trimtab_agent.security.refusal_log import RefusalLog
from trimtab_agent.security.roles import may, role_needed
from trimtab_agent.serving import served_within

_LOG = logging.getLogger(__name__)


class RoleInterceptor(grpc.aio.ServerInterceptor):
    """Stands within the one that turns exceptions into statuses, before anything is counted."""

    def __init__(self) -> None:
        self._refusals = RefusalLog(_LOG)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None:
            return None
        return served_within(handler, lambda context: _allowed(context, method, self._refusals))


def check_role(context: Any, method: str, refusals: RefusalLog) -> None:
    """Raises RoleInsufficient, or IdentityRefused for whom nobody vouches."""
    peer, needed = peer_of(context), role_needed(method)
    if may(peer.role, needed):
        return
    short = method.rpartition("/")[2]
    if not peer.role:
        raise IdentityRefused(f"{short}: the connection's certificate is not in force (any more)")
    refusals.tell(f"{short} to {peer.name}", f"a {peer.role} may only look", peer.name)
    message = f"{short} needs the role {needed}; {peer.name} is a {peer.role}"
    raise RoleInsufficient(message, role=peer.role, needed=needed)


@contextmanager
def _allowed(context: Any, method: str, refusals: RefusalLog) -> Iterator[None]:
    check_role(context, method, refusals)
    yield
