"""Whether kernel and Python are of one word size: a 64-bit kernel runs 32-bit programs too."""

from __future__ import annotations

import platform
import struct
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.probes.sysfs import read_text

PYTHON_BITS = struct.calcsize("P") * 8
_64_BIT = frozenset(
    {"aarch64", "aarch64_be", "arm64", "x86_64", "amd64", "riscv64", "ppc64le", "ppc64", "s390x"}
    | {"loongarch64", "mips64"}
)
_32_BIT = frozenset({"i386", "i486", "i586", "i686", "x86", "riscv32", "mips", "ppc"})


@dataclass(frozen=True)
class WordSize:
    """``kernel`` None: of a machine whose name is not known here."""

    machine: str
    kernel: int | None
    python: int

    def __str__(self) -> str:
        if self.kernel is None:
            return f"{self.python}-bit Python on {self.machine or 'an unknown machine'}"
        if self.kernel == self.python:
            return f"{self.python}-bit"
        return (
            f"{self.python}-bit Python on a {self.kernel}-bit kernel ({self.machine}): "
            f"only {self.python}-bit runtimes can be installed here"
        )

    @property
    def mixed(self) -> bool:
        return self.kernel is not None and self.kernel != self.python


def word_size(root: Path, python_bits: int = PYTHON_BITS) -> WordSize:
    """By the kernel's name of its machine (proc/sys/kernel/arch since Linux 6.1, else uname)."""
    machine = read_text(root / "proc/sys/kernel/arch") or platform.machine()
    return WordSize(machine, _kernel_bits(machine.lower()), python_bits)


def _kernel_bits(machine: str) -> int | None:
    if machine in _64_BIT:
        return 64
    # "armv8l" is a 64-bit processor as a 32-bit process is shown it: the kernel is not told.
    if machine in _32_BIT or machine.startswith(("armv6", "armv7")):
        return 32
    return None
