"""Linux system calls that Python has no function for, and which machine this process is."""

from __future__ import annotations

import ctypes
import os
import struct

_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38  # linux/prctl.h
_POINTER_BYTES = struct.calcsize("P")


def system_call(number: int, *arguments: object) -> int:
    """Raises OSError. Pointers are given as ctypes objects, numbers as they are."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    passed = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result: int = libc.syscall(ctypes.c_long(number), *passed)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def forbid_new_privileges() -> None:
    """No program that it starts gains any (setuid); seccomp and landlock ask for it. OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def keep_orphans(on: bool) -> bool:
    """Whether what descends from this process and lost its parent becomes its child, or init's."""
    libc = ctypes.CDLL(None, use_errno=True)
    done: bool = libc.prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0) == 0
    return done


def architecture() -> str:
    """The process's own: a 32-bit system may run on a 64-bit kernel."""
    machine = os.uname().machine
    if _POINTER_BYTES == 4:
        return "arm" if machine.startswith(("arm", "aarch64")) else f"{machine}, 32 bits"
    return machine
