"""The agent's own memory: what uploads and jobs took goes back to the models to be measured."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

_LOOK_S = 10.0
_GROWN_BYTES = 1_000_000


def give_memory_back() -> None:
    """Free what is garbage; glibc otherwise keeps freed heap. Elsewhere only the former."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


@asynccontextmanager
async def memory_given_back(is_busy: Callable[[], bool]) -> AsyncIterator[None]:
    """Now and then within it, but never while a job runs: thousands of calls from hosts that hang
    up leave the heap twice as large, all of it free."""
    keeper = asyncio.create_task(_keep_giving_back(is_busy))
    try:
        yield
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper


async def _keep_giving_back(is_busy: Callable[[], bool]) -> None:
    least = _resident_bytes()
    while True:
        await asyncio.sleep(_LOOK_S)
        if not is_busy() and _resident_bytes() > least + _GROWN_BYTES:
            give_memory_back()
            least = _resident_bytes()


def _resident_bytes() -> int:
    """0 where the system does not tell it so."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
