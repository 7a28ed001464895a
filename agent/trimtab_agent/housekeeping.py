"""The agent's own memory: what uploads and jobs took goes back to the models to be measured."""

from __future__ import annotations

import ctypes
import gc


def give_memory_back() -> None:
    """Free what is garbage; glibc otherwise keeps freed heap. Elsewhere only the former."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
