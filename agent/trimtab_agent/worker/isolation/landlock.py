"""Landlock: the kernel lets this process write only where it is told, and reach no TCP port."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Collection, Iterable
from pathlib import Path

from trimtab_agent.worker.isolation.state import reason
from trimtab_agent.worker.isolation.system import system_call

# linux/landlock.h; the numbers are the same on every architecture.
_CREATE, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_WRITE_FILE, _TRUNCATE, _REFER = 1 << 1, 1 << 14, 1 << 13
_REMOVE = 1 << 4 | 1 << 5
_MAKE_DIRECTORY, _MAKE_REGULAR, _MAKE_SOCKET, _MAKE_FIFO, _MAKE_LINK = (
    1 << bit for bit in (7, 8, 9, 10, 12)
)
_MAKE_DEVICE = 1 << 6 | 1 << 11
_MAKE_SPECIAL = _MAKE_SOCKET | _MAKE_FIFO | _MAKE_LINK
_ALL_TCP = 0b11
_ALL_SCOPES = 0b11  # abstract Unix sockets and signals
_ABI_REFER, _ABI_TRUNCATE, _ABI_TCP, _ABI_SCOPES = 2, 3, 4, 6


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def confine_writes(writable: Iterable[Path], plain: Collection[Path] = ()) -> int:
    """``plain``: those of them in which no link, socket or FIFO may be made.

    Returns the version of landlock. Raises Missing with the reason.
    """
    try:
        version = system_call(_CREATE, None, 0, _VERSION_FLAG)
    except OSError as error:
        what = "landlock is off on this kernel"
        if error.errno == errno.ENOSYS:
            what = "this kernel has no landlock"
        raise reason(error, what) from error
    try:
        _confine(version, writable, plain)
    except OSError as error:
        raise reason(error, f"landlock {version} refused its rules") from error
    return version


def _confine(version: int, writable: Iterable[Path], plain: Collection[Path]) -> None:
    granted = _granted(version)
    rules = _Ruleset(granted | _MAKE_DEVICE, _ALL_TCP, _ALL_SCOPES)
    size = 24 if version >= _ABI_SCOPES else 16 if version >= _ABI_TCP else 8
    ruleset = system_call(_CREATE, ctypes.byref(rules), size, 0)
    try:
        for path in writable:
            _allow(ruleset, path, granted & ~_MAKE_SPECIAL if path in plain else granted)
        system_call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _granted(version: int) -> int:
    granted = _WRITE_FILE | _REMOVE | _MAKE_DIRECTORY | _MAKE_REGULAR
    granted |= _MAKE_SPECIAL
    if version >= _ABI_REFER:
        granted |= _REFER
    if version >= _ABI_TRUNCATE:
        granted |= _TRUNCATE
    return granted


def _allow(ruleset: int, path: Path, granted: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not on this device
        return
    try:
        if not path.is_dir():
            granted &= _WRITE_FILE | _TRUNCATE
        rule = _Beneath(granted, opened)
        system_call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(opened)
