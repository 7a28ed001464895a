"""Where an agent listens: ``unix:PATH``, a loopback ``HOST:PORT``, or any other with TLS."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from trimtab.records import UserError

DEFAULT_PORT = 7433
_TLS = "tls://"
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})")
_PLACE = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+(?:%\w+)?\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?")
_SOCKET_PATH_LIMIT = 100  # binding and connecting fail a little above (sun_path holds 108 bytes)


@dataclass(frozen=True)
class NetworkPlace:
    """Reached with TLS. ``host`` without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def check_address(address: str) -> str:
    """The address as it is kept: ``unix:PATH`` and loopback are served in the clear, ``tls://`` and
    everything else with TLS. Raises UserError for what is no address."""
    if address.startswith("unix:"):
        return _check_socket(address)
    match = _LOOPBACK.fullmatch(address)
    if match and 0 < int(match[2]) < 65536:
        return address
    place = _place(address.removeprefix(_TLS))
    if place is None:
        raise UserError(
            f"not an address of an agent: {address}",
            f"use HOST or HOST:PORT (with TLS; the port is {DEFAULT_PORT} where none is given), "
            "unix:PATH or 127.0.0.1:PORT (in the clear), tls://127.0.0.1:PORT",
        )
    return f"{_TLS}{place}" if address.startswith(_TLS) else str(place)


def tls_place(address: str) -> NetworkPlace | None:
    """None for what is reached in the clear. ``address``: as :func:`check_address` gives it."""
    if address.startswith("unix:") or _LOOPBACK.fullmatch(address):
        return None
    return _place(address.removeprefix(_TLS))


def _place(text: str) -> NetworkPlace | None:
    match = _PLACE.fullmatch(text)
    if match is None:
        return None
    host, port = match["host"].strip("[]"), int(match["port"] or DEFAULT_PORT)
    if not 0 < port < 65536 or (":" in host and not _is_ip(host)):
        return None
    return NetworkPlace(host, port)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _check_socket(address: str) -> str:
    path = address.removeprefix("unix:").removeprefix("//")
    if not path:
        raise UserError("unix: without a path", "for example unix:/tmp/pi5.sock")
    if len(path.encode()) > _SOCKET_PATH_LIMIT:
        raise UserError(
            f"the socket path is longer than {_SOCKET_PATH_LIMIT} bytes: {path}",
            "use a shorter path, for example under /tmp",
        )
    return f"unix:{path}"
