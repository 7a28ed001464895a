"""A runtime that does on load what no worker may: what, is the first line of its model file."""

from __future__ import annotations

import ctypes
import mmap
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
_MAP_NORESERVE = 0x4000  # of x86-64 and arm64; Python has no name for it
_RESERVED_BYTES = 64 << 30
_KEPT_BYTES = 300_000_000
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


def _start_and_fail() -> None:
    """The kernel's refusal goes through, as a library that does not try again passes it on."""
    for _ in range(100):
        if os.fork() == 0:
            time.sleep(600)


def _leave_behind(*, holding_pipes: bool = False) -> None:
    """One whose parent is dead at once, in a session of its own."""
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            if not holding_pipes:
                os.closerange(0, 64)
            time.sleep(600)
        os._exit(0)
    os.waitpid(child, 0)


def _keep(size: int = _KEPT_BYTES) -> None:
    kept = b"x" * size
    time.sleep(600)
    del kept


def _keep_in_children() -> None:
    """What they have in common with each other counts once."""
    common = b"x" * (_KEPT_BYTES // 3)
    for _ in range(5):
        if os.fork() == 0:
            _keep(_KEPT_BYTES // 5)
    time.sleep(600)
    del common


def _reserve() -> None:
    kinds = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
    reserved = mmap.mmap(-1, _RESERVED_BYTES, flags=kinds)
    time.sleep(1.5)
    reserved.close()


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
    "fork and fail": lambda _: _start_and_fail(),
    "leave behind": lambda _: _leave_behind(),
    "leave behind, holding pipes": lambda _: _leave_behind(holding_pipes=True),
    "keep": lambda _: _keep(),
    "keep in children": lambda _: _keep_in_children(),
    "reserve": lambda _: _reserve(),
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
