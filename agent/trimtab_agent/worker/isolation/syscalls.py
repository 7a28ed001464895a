"""Numbers of system calls, per architecture, and which of them a worker has no use for."""

from __future__ import annotations

from collections.abc import Mapping

# uapi/linux/audit.h: the kernel's word for an architecture.
AUDIT_ARCHITECTURE: Mapping[str, int] = {
    "x86_64": 0xC000003E,
    "aarch64": 0xC00000B7,
    "riscv64": 0xC00000F3,
    "arm": 0x40000028,
}

# Answered with EPERM: what changes the system or looks into other processes.
REFUSED = """
    ptrace process_vm_readv process_vm_writev pidfd_getfd perf_event_open bpf userfaultfd
    mount umount2 pivot_root chroot unshare setns open_tree move_mount fsopen fsconfig fsmount
    mount_setattr name_to_handle_at open_by_handle_at quotactl swapon swapoff acct reboot
    sethostname setdomainname settimeofday clock_settime kexec_load kexec_file_load init_module
    finit_module delete_module add_key request_key keyctl iopl ioperm
"""

# Answered with ENOSYS, as an older kernel would: libraries have another way. io_uring would open
# sockets past the filter.
ABSENT = ("io_uring_setup", "io_uring_enter", "io_uring_register")

_SINCE_5 = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
}


def _table(text: str) -> Mapping[str, int]:
    words = text.split()
    return {**_SINCE_5, **dict(zip(words[::2], map(int, words[1::2]), strict=True))}


# asm-generic/unistd.h
_GENERIC = _table(
    "socket 198 seccomp 277 ptrace 117 process_vm_readv 270 process_vm_writev 271 "
    "perf_event_open 241 bpf 280 userfaultfd 282 mount 40 umount2 39 pivot_root 41 chroot 51 "
    "unshare 97 setns 268 name_to_handle_at 264 open_by_handle_at 265 quotactl 60 swapon 224 "
    "swapoff 225 acct 89 reboot 142 sethostname 161 setdomainname 162 settimeofday 170 "
    "clock_settime 112 kexec_load 104 kexec_file_load 294 init_module 105 finit_module 273 "
    "delete_module 106 add_key 217 request_key 218 keyctl 219"
)

NUMBERS: Mapping[str, Mapping[str, int]] = {
    "x86_64": _table(
        "socket 41 seccomp 317 ptrace 101 process_vm_readv 310 process_vm_writev 311 "
        "perf_event_open 298 bpf 321 userfaultfd 323 mount 165 umount2 166 pivot_root 155 "
        "chroot 161 unshare 272 setns 308 name_to_handle_at 303 open_by_handle_at 304 "
        "quotactl 179 swapon 167 swapoff 168 acct 163 reboot 169 sethostname 170 "
        "setdomainname 171 settimeofday 164 clock_settime 227 kexec_load 246 "
        "kexec_file_load 320 init_module 175 finit_module 313 delete_module 176 add_key 248 "
        "request_key 249 keyctl 250 iopl 172 ioperm 173"
    ),
    "aarch64": _GENERIC,
    "riscv64": _GENERIC,
    "arm": _table(
        "socket 281 seccomp 383 ptrace 26 process_vm_readv 376 process_vm_writev 377 "
        "perf_event_open 364 bpf 386 userfaultfd 388 mount 21 umount2 52 pivot_root 218 "
        "chroot 61 unshare 337 setns 375 name_to_handle_at 370 open_by_handle_at 371 "
        "quotactl 131 swapon 87 swapoff 115 acct 51 reboot 88 sethostname 74 setdomainname 121 "
        "settimeofday 79 clock_settime 262 kexec_load 347 kexec_file_load 401 init_module 128 "
        "finit_module 379 delete_module 129 add_key 309 request_key 310 keyctl 311"
    ),
}
