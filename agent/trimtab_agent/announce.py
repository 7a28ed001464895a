"""Tells of the agent on the local network by mDNS; the library is loaded only where it shall."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import psutil

from trimtab_agent import __version__
from trimtab_agent.config import ConfigError

SERVICE_TYPE = "_trimtab._tcp.local."
_ID_DIGITS = 8


class Announcer:
    """``name`` is that of the device's identity: what a host must call it."""

    def __init__(self, name: str, host: str, port: int, device_id: str) -> None:
        """Raises ConfigError where the library is missing."""
        try:
            from zeroconf import ServiceInfo
            from zeroconf.asyncio import AsyncZeroconf
        except ImportError as error:
            raise ConfigError(
                "--announce needs zeroconf: pip install 'trimtab-agent[discover]'"
            ) from error
        short_id = device_id[:_ID_DIGITS]
        self._addresses = addresses_of(host)
        self._make = AsyncZeroconf
        self._service: Any = ServiceInfo(
            SERVICE_TYPE,
            # A label of DNS has at most 63 bytes.
            f"{name[: 62 - _ID_DIGITS]}-{short_id}.{SERVICE_TYPE}",
            port=port,
            parsed_addresses=list(self._addresses),
            properties={"name": name, "id": short_id, "version": __version__, "tls": "1"},
            server=f"trimtab-{short_id}.local.",
        )
        self._zeroconf: Any = None

    async def start(self) -> None:
        """Raises ConfigError where the system lets nobody multicast."""
        try:
            self._zeroconf = self._make(interfaces=list(self._addresses))
            await self._zeroconf.async_register_service(self._service, allow_name_change=True)
        except (OSError, RuntimeError) as error:
            await self.stop()
            raise ConfigError(f"--announce: mDNS cannot be used here: {error}") from error

    async def stop(self) -> None:
        if self._zeroconf is not None:
            await self._zeroconf.async_unregister_all_services()
            await self._zeroconf.async_close()
            self._zeroconf = None


def addresses_of(host: str) -> tuple[str, ...]:
    """Those that hosts can reach: all of the machine's but loopback, where it listens on all.

    Raises ConfigError where there are none.
    """
    bare = host.strip("[]")
    if not _is_any(bare):
        return tuple(sorted({str(where[4][0]) for where in socket.getaddrinfo(bare, None)}))
    found = [
        each.address
        for addresses in psutil.net_if_addrs().values()
        for each in addresses
        if each.family == socket.AF_INET and not ipaddress.ip_address(each.address).is_loopback
    ]
    if not found:
        raise ConfigError("--announce: this machine has no address beyond loopback; leave it out")
    return tuple(sorted(found))


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
