"""A runtime that does on load what no worker may: what, is the first line of its model file."""

from __future__ import annotations

import ctypes
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from trimtab_agent.records import RuntimeInfo
from trimtab_agent.runtimes.base import Runtime, RuntimeOptions, Session
from trimtab_agent.runtimes.null import NullRuntime

_O_WRONLY, _O_CREAT = 1, 0o100
_AF_INET, _SOCK_STREAM = 2, 1


def _native(function: str, *arguments: Any) -> None:
    """Past Python, as a library would. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, function)(*arguments) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _start_without_end(*, in_sessions_of_their_own: bool = False) -> None:
    while True:
        try:
            if os.fork() == 0:
                if in_sessions_of_their_own:
                    os.setsid()
                time.sleep(600)
        except OSError:
            time.sleep(0.01)


def _write(target: str) -> None:
    with suppress(OSError):
        Path(target).write_text("x")


def _ipv6(_: str) -> None:
    with suppress(OSError):
        socket.socket(socket.AF_INET6)


def _hidden_write(target: str) -> None:
    ctypes.CDLL(None).open(target.encode(), _O_WRONLY | _O_CREAT, 0o600)


_MISDEEDS: dict[str, Callable[[str], Any]] = {
    "well": lambda _: None,
    "own file": lambda _: Path(os.environ["TMPDIR"], "mine").write_text("x"),
    "ipv6": _ipv6,
    "socket": lambda _: socket.socket(),
    "native socket": lambda _: _native("socket", _AF_INET, _SOCK_STREAM, 0),
    "write": _write,
    "native write": lambda target: _native("open", target.encode(), _O_WRONLY | _O_CREAT, 0o600),
    "quiet native write": _hidden_write,
    "ptrace": lambda _: _native("ptrace", 0, 0, 0, 0),
    "fork": lambda _: _start_without_end(),
    "fork away": lambda _: _start_without_end(in_sessions_of_their_own=True),
}


class MisbehavingRuntime(Runtime):
    name = "misbehaving"
    formats = ("null",)

    def availability(self) -> RuntimeInfo:
        return RuntimeInfo(self.name, "0", "misbehaving", self.formats, ("cpu",))

    def load(self, path: Path, options: RuntimeOptions) -> Session:
        kind, _, target = path.read_text().strip().partition("\n")
        _MISDEEDS[kind](target)
        return NullRuntime().load(path, options)
