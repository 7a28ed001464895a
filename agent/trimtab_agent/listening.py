"""Where the agent listens: a Unix socket of its owner's alone, or a loopback port."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import grpc.aio

from trimtab_agent.config import ClearAddress, ConfigError, LoopbackAddress


@contextlib.contextmanager
def bound(server: grpc.aio.Server, listen: ClearAddress) -> Iterator[str]:
    """The bound address. Raises ConfigError where it cannot be bound."""
    if isinstance(listen, LoopbackAddress):
        yield str(LoopbackAddress(listen.host, _bind(server, str(listen), listen)))
        return
    _make_way(listen.path)
    before = os.umask(0o177)  # the socket is its owner's alone, from its first moment on
    try:
        _bind(server, str(listen), listen)
    finally:
        os.umask(before)
    try:
        yield str(listen)
    finally:
        listen.path.unlink(missing_ok=True)


def _bind(server: grpc.aio.Server, address: str, listen: ClearAddress) -> int:
    try:
        port: int = server.add_insecure_port(address)
    except RuntimeError as error:
        raise ConfigError(
            f"cannot listen on {listen}: it is in use, or not allowed; choose another --listen"
        ) from error
    return port


def _make_way(path: Path) -> None:
    """Make the socket's folder, and remove a socket that nobody listens on.

    Raises ConfigError where somebody does, or something else lies there.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"cannot listen on unix:{path}: {error.strerror}") from error
    if not stat.S_ISSOCK(mode):
        raise ConfigError(f"cannot listen on unix:{path}: a file that is no socket lies there")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise ConfigError(f"cannot listen on unix:{path}: another process listens there already")
