"""Where the C library puts what threads allocate."""

import platform
import subprocess
import sys

import pytest

# 8 threads take 4 MB each in small pieces at the same time; then where the C library put them.
_THREADS_ALLOCATE = """
import ctypes, threading
from pathlib import Path
from trimtab_protos.heaps import keep_one_heap

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
