"""Energy added up from a meter's stream, and when that stream can no longer be trusted."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from trimtab_agent.meters.settings import MeterError

Clock = Callable[[], float]


class EnergyCounter:
    """Millijoules since the meter was opened; one thread adds, others read.

    A stream that told nothing for ``stall_s`` has stopped for good: what it missed meanwhile is in
    no later figure.
    """

    def __init__(self, stall_s: float, clock: Clock = time.monotonic) -> None:
        self._stall_s = stall_s
        self._clock = clock
        self._lock = threading.Lock()
        self._told = threading.Event()
        self._energy_mj = 0.0
        self._last_at = clock()
        self._failure: str | None = None

    def add(self, energy_mj: float) -> None:
        with self._lock:
            self._notice_stall()
            if self._failure is not None:
                return
            if not math.isfinite(energy_mj):
                self._failure = f"the meter gave no number ({energy_mj})"
            else:
                self._energy_mj += energy_mj
                self._last_at = self._clock()
        self._told.set()

    def fail(self, reason: str) -> None:
        """The first reason stays."""
        with self._lock:
            if self._failure is None:
                self._failure = reason
        self._told.set()

    @property
    def failure(self) -> str | None:
        with self._lock:
            self._notice_stall()
            return self._failure

    def read(self) -> float:
        """Raises MeterError with the reason once the stream has failed."""
        with self._lock:
            self._notice_stall()
            if self._failure is not None:
                raise MeterError(self._failure)
            return self._energy_mj

    def wait_for_first(self, timeout_s: float) -> None:
        """Raises MeterError where nothing comes, or the stream fails at once."""
        if not self._told.wait(timeout_s):
            self.fail(f"the meter told nothing within {timeout_s:g} s")
        self.read()

    def _notice_stall(self) -> None:
        silent_s = self._clock() - self._last_at
        if self._failure is None and self._told.is_set() and silent_s > self._stall_s:
            self._failure = f"the meter's stream stopped: it told nothing for {silent_s:.1f} s"
