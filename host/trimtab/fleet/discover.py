"""Agents that tell of themselves on the local network, by mDNS."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from trimtab.fleet.inventory_file import may_be_added
from trimtab.records import UserError

_LOG = logging.getLogger(__name__)
SERVICE_TYPE = "_trimtab._tcp.local."
_RESOLVE_MS = 2000
_LONGEST_TEXT = 100


@dataclass(frozen=True)
class Found:
    """As the agent says, which anybody on the network may: only connecting proves it."""

    name: str
    addresses: tuple[str, ...]
    port: int
    device_id: str
    version: str

    @property
    def has_usable_name(self) -> bool:
        """One that the inventory takes, and so nothing that a shell would act upon."""
        return may_be_added(self.name)

    @property
    def address(self) -> str:
        return f"tls://{self.places[0]}"

    @property
    def places(self) -> tuple[str, ...]:
        """As an inventory may have it: each address, and the name that mDNS resolves."""
        hosts = [f"[{each}]" if ":" in each else each for each in self.addresses]
        return tuple(f"{host}:{self.port}" for host in (*hosts, f"{self.name}.local"))


async def discover(seconds: float, interfaces: tuple[str, ...] = ()) -> tuple[Found, ...]:
    """By name, after listening so long. ``interfaces``: addresses of this host; all by default.

    Raises UserError where the library is missing or the system lets nobody multicast.
    """
    try:
        from zeroconf import InterfaceChoice
        from zeroconf.asyncio import AsyncServiceBrowser, AsyncZeroconf
    except ImportError as error:
        raise UserError(
            "looking for devices needs zeroconf", "pip install 'trimtab[discover]'"
        ) from error
    names: set[str] = set()

    def heard(zeroconf: Any, service_type: str, name: str, state_change: Any) -> None:
        names.add(name)

    try:
        network = AsyncZeroconf(interfaces=list(interfaces) or InterfaceChoice.All)
    except OSError as error:
        raise UserError(
            f"mDNS cannot be used here: {error}", "add the devices by their addresses"
        ) from error
    try:
        browser = AsyncServiceBrowser(network.zeroconf, SERVICE_TYPE, handlers=[heard])
        await asyncio.sleep(seconds)
        await browser.async_cancel()
        found = await asyncio.gather(*(_resolved(network, name) for name in sorted(names)))
    finally:
        await network.async_close()
    return tuple(sorted((each for each in found if each), key=lambda each: each.name))


async def _resolved(network: Any, name: str) -> Found | None:
    """None where it is gone again, and for what is no name of such a service: one such answer from
    the network must not hide the others."""
    from zeroconf import Error

    try:
        return await _asked(network, name)
    except (Error, ValueError) as error:
        _LOG.debug("%r is left out: %r", name, error)
        return None


async def _asked(network: Any, name: str) -> Found | None:
    from zeroconf.asyncio import AsyncServiceInfo

    service = AsyncServiceInfo(SERVICE_TYPE, name)
    if not await service.async_request(network.zeroconf, _RESOLVE_MS):
        return None
    addresses = tuple(service.parsed_addresses())
    if not addresses or not service.port:
        return None
    told = service.decoded_properties
    return Found(
        name=_text(told.get("name")),
        addresses=addresses,
        port=service.port,
        device_id=_text(told.get("id")),
        version=_text(told.get("version")),
    )


def _text(value: str | None) -> str:
    """Nothing that would garble a terminal."""
    return "".join(sign for sign in (value or "")[:_LONGEST_TEXT] if sign.isprintable())
