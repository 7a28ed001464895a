"""A device's lease while one of its jobs is pushed, run and collected."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from trimtab_protos.errors import LeaseExpired, LeaseHeld, NotServed, TrimtabError

from trimtab.fleet.client import AgentClient
from trimtab.fleet.errors import DeviceUnreachable

TTL_S = 30.0
_RENEW_S = 10.0
_ASK_AGAIN_S = 1.0
_RELEASES = 4
_LOG = logging.getLogger(__name__)


class LeaseKeeper:
    """One device's. A lease that was held when the connection broke is taken up again.

    ``heard``: of each answer of a device that somebody else uses.
    """

    def __init__(
        self, device: str, holder: str, say: Callable[[str], None], heard: Callable[[], None]
    ) -> None:
        self._device = device
        self._holder = holder
        self._say = say
        self._heard = heard
        self._lease_id = ""
        self._request_id = ""

    @asynccontextmanager
    async def held(self, client: AgentClient, served: bool) -> AsyncIterator[str]:
        """The lease's id; "" from an agent that hands out none (``served`` False).

        Waits for its turn. On leaving the lease is released, unless the connection is broken.
        """
        if not served:
            yield ""
            return
        await self._take(client)
        renewing = asyncio.ensure_future(self._renew(client))
        try:
            yield self._lease_id
        except DeviceUnreachable:
            raise
        except BaseException:
            await asyncio.shield(self.let_go(client))
            raise
        else:
            await self.let_go(client)
        finally:
            renewing.cancel()

    async def _take(self, client: AgentClient) -> None:
        if self._lease_id:
            try:
                await client.renew_lease(self._lease_id, TTL_S)
            except LeaseExpired:
                self._forget()
            else:
                return
        self._request_id = self._request_id or uuid.uuid4().hex
        told = ""
        while not self._lease_id:
            try:
                lease = await client.acquire_lease(self._request_id, self._holder, TTL_S)
            except LeaseHeld as error:
                self._heard()
                told = self._tell(error, told)
                await asyncio.sleep(_ASK_AGAIN_S)
            except NotServed:
                return
            else:
                self._lease_id = lease.lease_id

    def _tell(self, error: LeaseHeld, told: str) -> str:
        """Once for each holder and place, not each second."""
        holder = error.metadata.get("holder") or "somebody"
        position = error.metadata.get("position", "")
        now = f"{holder} {position}"
        if now != told:
            remaining = error.metadata.get("remaining_s", "")
            more = f", for {float(remaining):.0f} s more unless renewed" if remaining else ""
            place = f"; position {position} in the queue" if position else ""
            self._say(f"waiting: held by {holder}{more}{place}")
        return now

    async def _renew(self, client: AgentClient) -> None:
        """A lease that is lost meanwhile does no harm: a running job holds the device."""
        while True:
            await asyncio.sleep(_RENEW_S)
            try:
                await client.renew_lease(self._lease_id, TTL_S)
            except (TrimtabError, DeviceUnreachable) as error:
                _LOG.info("%s: the lease was not renewed: %s", self._device, error)
                return

    async def let_go(self, client: AgentClient) -> None:
        """Also of what was held when a connection broke, and was not needed again.

        A few times where the line breaks: the next host need not wait until it expires.
        """
        lease_id = self._lease_id
        self._forget()
        for _ in range(_RELEASES if lease_id else 0):
            try:
                await client.release_lease(lease_id)
            except DeviceUnreachable:
                await asyncio.sleep(_ASK_AGAIN_S)
            except TrimtabError:
                return
            else:
                return

    def _forget(self) -> None:
        self._lease_id = self._request_id = ""
