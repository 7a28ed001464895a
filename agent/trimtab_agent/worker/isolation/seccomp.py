"""A filter of system calls: a worker that opens a socket is killed by the kernel (SIGSYS)."""

from __future__ import annotations

import ctypes
import errno
import socket
import struct

from trimtab_agent.worker.isolation.state import Missing, reason
from trimtab_agent.worker.isolation.syscalls import ABSENT, AUDIT_ARCHITECTURE, NUMBERS, REFUSED
from trimtab_agent.worker.isolation.system import architecture, system_call

# linux/seccomp.h, linux/bpf_common.h
_SET_MODE_FILTER, _GET_ACTION_AVAILABLE = 1, 2
# Else kernels before 5.16 slow every load and branch of a filtered process: the figures would be
# those of another device.
_SPECULATION_STAYS = 1 << 2
_KILL_PROCESS, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_X32_BIT = 0x40000000
# No way out, and libraries ask: the name service's daemon and an accelerator's driver. On IPv6 they
# try at import whether there is any (urllib3).
_REFUSED_FAMILIES = {
    socket.AF_UNIX: errno.EACCES,
    16: errno.EACCES,  # AF_NETLINK, which Python has on Linux only
    socket.AF_INET6: errno.EAFNOSUPPORT,
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def filter_calls() -> None:
    """For this process and all it starts, for ever. Raises Missing with the reason."""
    machine = architecture()
    if machine not in NUMBERS:
        raise Missing(f"no table of system calls for {machine}")
    number = NUMBERS[machine]["seccomp"]
    try:
        action = ctypes.byref(ctypes.c_uint32(_KILL_PROCESS))
        system_call(number, _GET_ACTION_AVAILABLE, 0, action)
        code = program(machine)
        passed = _Program(len(code) // 8, code)
        _install(number, passed)
    except OSError as error:
        raise reason(error, "this kernel filters no system calls, or lets nobody") from error


def _install(number: int, passed: _Program) -> None:
    try:
        system_call(number, _SET_MODE_FILTER, _SPECULATION_STAYS, ctypes.byref(passed))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        system_call(number, _SET_MODE_FILTER, 0, ctypes.byref(passed))  # before Linux 4.17


def program(machine: str) -> bytes:
    """Classic BPF, eight bytes an instruction."""
    numbers = NUMBERS[machine]
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, AUDIT_ARCHITECTURE[machine]),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    if machine == "x86_64":  # the x32 numbers mean the same calls
        steps += [(_AT_LEAST, 0, 1, _X32_BIT), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    for names, code in ((REFUSED.split(), errno.EPERM), (ABSENT, errno.ENOSYS)):
        for name in names:
            if name in numbers:
                steps += [(_EQUAL, 0, 1, numbers[name]), (_RETURN, 0, 0, _ERRNO | code)]
    steps += [
        (_EQUAL, 1, 0, numbers["socket"]),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
    ]
    for family, code in _REFUSED_FAMILIES.items():
        steps += [(_EQUAL, 0, 1, int(family)), (_RETURN, 0, 0, _ERRNO | code)]
    steps.append((_RETURN, 0, 0, _KILL_PROCESS))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
