"""How glibc divides memory among threads."""

from __future__ import annotations

import ctypes

_ARENA_MAX = -8  # M_ARENA_MAX of its malloc.h


def keep_one_heap() -> None:
    """glibc gives threads heaps of their own, and what is free in one is no use to the others: of
    an agent's 54 MB they took 3, and more with every job. gRPC has many threads and does little in
    each.

    Call it before there are threads; without effect where the C library is another.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)
