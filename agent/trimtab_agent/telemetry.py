"""What a device is doing right now, a few figures a second at most, until nobody listens."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.bounded import ANSWER_S
from trimtab_agent.cpus import fastest_mhz
from trimtab_agent.load import busy_share, read_cpu_times
from trimtab_agent.paging import meminfo
from trimtab_agent.power.meter import PowerMeter
from trimtab_agent.probes.thermal import hottest_zone

SHORTEST_PERIOD_S = 0.5
PERIOD_S = 1.0
FIGURES = ("power_w", "temperature_c", "frequency_mhz", "cpu_busy", "memory_available_mb")


@dataclass(frozen=True)
class Moment:
    """``values``: of :data:`FIGURES`, those that the device can tell at that time."""

    boot_time_ns: int
    values: Mapping[str, float]


Figures = dict[str, float | None]


class _OneLook:
    """One look at a time, for all who ask meanwhile: one that never returns costs one thread."""

    def __init__(self, look: Callable[[], Figures]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._running: Future[Figures] | None = None
        self._begun_s = 0.0

    def begin(self) -> Future[Figures] | None:
        """None while one hangs, so that nobody waits again for that one."""
        with self._lock:
            if self._running is None or self._running.done():
                self._running = self._started()
                self._begun_s = time.monotonic()
            elif time.monotonic() - self._begun_s > ANSWER_S:
                return None
            return self._running

    def _started(self) -> Future[Figures]:
        future: Future[Figures] = Future()
        future.set_running_or_notify_cancel()  # no single waiter cancels it for the others

        def run() -> None:
            try:
                future.set_result(self._look())
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return future


class Telemetry:
    """Power is what the job's own readers saw last: a sensor is not asked twice."""

    def __init__(self, root: Path, meter: PowerMeter) -> None:
        """``root`` is where the kernel's files are read."""
        self._root = root
        self._meter = meter
        self._device = _OneLook(self._look)

    async def stream(self, period_s: float, wanted: Collection[str]) -> AsyncIterator[Moment]:
        """``period_s`` 0: a second; ``wanted`` empty: everything."""
        period_s = max(period_s or PERIOD_S, SHORTEST_PERIOD_S)
        before = read_cpu_times(self._root)
        while True:
            await asyncio.sleep(period_s)
            after = read_cpu_times(self._root)
            told = {**await self._values(), "cpu_busy": busy_share(before, after)}
            before = after
            values = {
                name: value
                for name, value in told.items()
                if value is not None and (not wanted or name in wanted)
            }
            yield Moment(boot_clock_ns(), values)

    def values(self) -> Figures:
        """Of this moment, for a thread of its own: it may take :data:`ANSWER_S`. What the device
        cannot tell is None, or left out where a driver hangs."""
        looking = self._device.begin()
        try:
            told = {} if looking is None else looking.result(ANSWER_S)
        except NotYet:
            told = {}
        return {"power_w": self._meter.latest_w(), **told}

    async def _values(self) -> Figures:
        looking = self._device.begin()
        told: Figures = {}
        if looking is not None:
            waiting = asyncio.wrap_future(looking)
            try:
                finished, _ = await asyncio.wait({waiting}, timeout=ANSWER_S)
                told = waiting.result() if finished else {}
            finally:
                waiting.cancel()  # nobody waits for it any more
        return {"power_w": self._meter.latest_w(), **told}

    def _look(self) -> Figures:
        """It reads files and may block."""
        hottest = hottest_zone(self._root)
        available = meminfo(self._root).get("MemAvailable")
        return {
            "temperature_c": hottest.celsius if hottest else None,
            "frequency_mhz": fastest_mhz(self._root, ()),
            "memory_available_mb": None if available is None else available / 1e6,
        }


def boot_clock_ns() -> int:
    """It counts on while the machine sleeps, where there is such a clock."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
