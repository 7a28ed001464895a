"""What Python itself is asked to do is seen before the kernel refuses it, with the name.

It says best what was tried, and works on kernels without landlock and seccomp; native code goes
past it, which those two do not let.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trimtab_agent.worker.isolation.places import is_below

Stop = Callable[[str], None]
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Left to the kernel: writing what was compiled is given up quietly, devices are no files.
_BYTECODE = "__pycache__"
_DEVICES = (Path("/dev"), Path("/proc/self"))
_QUIET_FAMILIES = (socket.AF_UNIX, 16, socket.AF_INET6)  # see seccomp.py
# event -> the paths among its arguments that change
_CHANGES = {
    "os.mkdir": slice(0, 1),
    "os.remove": slice(0, 1),
    "os.rmdir": slice(0, 1),
    "os.rename": slice(0, 2),
    "os.link": slice(1, 2),
    "os.symlink": slice(1, 2),
    "os.truncate": slice(0, 1),
}


def look_out(places: Sequence[Path], stop: Stop) -> None:
    """``stop`` gets what was tried and must not return; it cannot be taken off again."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if isinstance(flags, int) and flags & _WRITES:
                _judge(path, places, stop, may_be_beside=mode is None)
        elif event in _CHANGES:
            for path in arguments[_CHANGES[event]]:
                _judge(path, places, stop, may_be_beside=True, makes=event == "os.mkdir")
        elif event == "socket.__new__" and arguments[1] not in _QUIET_FAMILIES:
            stop("tried to open a network socket, which no worker may")
        elif event == "socket.getaddrinfo":
            stop(f"tried to look up the address of {arguments[0]!r}: no worker has a network")

    sys.addaudithook(hook)


def _judge(
    path: Any,
    places: Sequence[Path],
    stop: Stop,
    may_be_beside: bool = False,
    makes: bool = False,
) -> None:
    """``may_be_beside``: a relative path may count from a folder's descriptor, which is not told.

    ``makes``: nothing comes of it where the path is there already.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        return  # a descriptor: it was opened before
    named = Path(os.fsdecode(path))
    if _BYTECODE in named.parts or (may_be_beside and not named.is_absolute()):
        return
    if is_below(named, _DEVICES) or (makes and named.exists()):
        return
    # A link may itself be what changes: then its folder counts.
    found = Path(os.path.realpath(named))
    beside = Path(os.path.realpath(named.parent)) / named.name
    if not (is_below(found, places) and is_below(beside, places)):
        stop(f"tried to write {found}: a worker may write only in its scratch folder")
