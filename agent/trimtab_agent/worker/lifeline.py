"""A worker dies with its agent, also when that is killed with -9, and leaves no core file.

It dies before its agent where the device runs out of memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

_FIRST_OF_ALL = "1000"  # proc(5)
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def hold_on_to(parent_pid: int) -> None:
    """End at once where the agent is gone already; where the system can, end when it goes.

    Linux watches the thread that started the worker, so an agent's loop runs on its main thread.
    Only Linux can; elsewhere a worker whose agent was killed ends at its next message.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)


def forbid_core_file() -> None:
    """A crash with a model in memory would fill a small board's disk."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def be_first_to_go() -> None:
    """A kernel short of memory ends the worker: not the agent, nor the device's own programs."""
    with contextlib.suppress(OSError):  # not on this system
        Path("/proc/self/oom_score_adj").write_text(_FIRST_OF_ALL, encoding="ascii")
