"""Freed memory goes back to the system, and not in the middle of a measurement."""

from __future__ import annotations

import asyncio
import platform
import subprocess
import sys

import psutil
import pytest
from trimtab_agent import housekeeping
from trimtab_agent.housekeeping import memory_given_back

MB = 1_000_000


async def looks(monkeypatch: pytest.MonkeyPatch, resident: list[int], is_busy: bool) -> int:
    """How often memory was given back when it was looked for so often."""
    given: list[None] = []
    seen = iter(resident)
    done = asyncio.Event()

    def resident_bytes() -> int:
        found = next(seen, None)
        if found is None:
            done.set()
        return found or 0

    monkeypatch.setattr(housekeeping, "_LOOK_S", 0.001)
    monkeypatch.setattr(housekeeping, "_resident_bytes", resident_bytes)
    monkeypatch.setattr(housekeeping, "give_memory_back", lambda: given.append(None))
    async with memory_given_back(lambda: is_busy):
        await asyncio.wait({asyncio.ensure_future(done.wait())}, timeout=0.2)
    return len(given)


async def test_what_grew_is_given_back_and_the_rest_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grown_once = [50 * MB, 50 * MB, 60 * MB, 51 * MB, 51 * MB]
    assert await looks(monkeypatch, grown_once, is_busy=False) == 1


async def test_nothing_is_touched_while_a_job_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await looks(monkeypatch, [50 * MB, 90 * MB], is_busy=True) == 0


async def test_the_kernel_tells_what_is_resident() -> None:
    assert housekeeping._resident_bytes() == pytest.approx(
        psutil.Process().memory_info().rss, rel=0.1
    )


# 8 threads take 4 MB each in small pieces at the same time; then where the C library put them.
_THREADS_ALLOCATE = """
import ctypes, threading
from pathlib import Path
from trimtab_agent.housekeeping import keep_one_heap

if {one_heap}:
    keep_one_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
together = threading.Barrier(8)

def allocate():
    for _ in range(1000):
        ctypes.memset(libc.malloc(4096), 1, 4096)
    together.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
for each in threads: each.start()
for each in threads: each.join()
heaps = 0
for line in Path("/proc/self/maps").read_text().splitlines():
    start, _, end = line.split()[0].partition("-")
    # A thread's heap of glibc's begins at a multiple of 64 MiB.
    heaps += len(line.split()) == 5 and " rw-p " in line and int(start, 16) % (64 << 20) == 0
print(heaps)
"""


def _heaps_of_threads(one_heap: bool) -> int:
    program = _THREADS_ALLOCATE.format(one_heap=one_heap)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has a heap for threads")
def test_threads_share_one_heap() -> None:
    assert _heaps_of_threads(one_heap=False) > 0
    assert _heaps_of_threads(one_heap=True) == 0
