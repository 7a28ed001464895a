"""Where an agent listens: ``unix:PATH`` or a loopback ``HOST:PORT``."""

import re

from trimtab.records import UserError

_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})")
_SOCKET_PATH_LIMIT = 100  # binding and connecting fail a little above (sun_path holds 108 bytes)


def check_address(address: str) -> str:
    """The address as gRPC takes it. Raises UserError for anything that could leave this machine."""
    if address.startswith("unix:"):
        return _check_socket(address)
    match = _LOOPBACK.fullmatch(address)
    if match and 0 < int(match[2]) < 65536:
        return address
    raise UserError(
        f"not an address of an agent: {address}",
        "use unix:PATH or 127.0.0.1:PORT; reach a board through `ssh -L` "
        "(this release has no TLS, so nothing but this machine's own addresses is taken)",
    )


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
