"""What the agent sees around one repeat while its worker is timed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from trimtab_agent.bounded import NoAnswer, within
from trimtab_agent.cpus import fastest_mhz
from trimtab_agent.disturbance import FOREIGN_LOAD_LIMIT, Reading
from trimtab_agent.foreign import (
    ForeignLoad,
    ProcessTimes,
    Usage,
    foreign_load,
    name_culprits,
    process_times,
    usage,
)
from trimtab_agent.load import count_runnable
from trimtab_agent.middle import median_low
from trimtab_agent.paging import Paging, paging_between, paging_so_far, paging_together
from trimtab_agent.probes.thermal import hottest_zone
from trimtab_agent.probes.throttling import throttle_state

PERIOD_S = 0.25  # a few small files each time: far below a thousandth of a processor
_ANSWER_S = 2.0
_MOST_READINGS = 4096  # of a sustained load, which may last a day


def reading_period_s(sustain_ns: int | None) -> float:
    """None: no sustained load."""
    return max(PERIOD_S, (sustain_ns or 0) / 1e9 / _MOST_READINGS)


@dataclass
class Watch:
    """``cpus`` empty: all. Readings and load are of the measuring phase alone, pilot included.

    ``threads``: of the worker that is timed; of several, only one runs at a time.
    """

    root: Path
    clock_origin_ns: int
    cpus: tuple[int, ...]
    threads: int
    period_s: float = PERIOD_S
    readings: list[Reading] = field(default_factory=list)
    load: ForeignLoad | None = None
    paging: Paging | None = None
    _worker_pids: set[int] = field(default_factory=set)
    _begin: Usage | None = None
    _paging_before: Paging | None = None
    _reading: asyncio.Task[None] | None = None
    _last: asyncio.Task[None] | None = None
    _processes: ProcessTimes = field(default_factory=dict)
    _processes_at: float = 0.0
    _hangs: bool = False

    def worker_started(self, pid: int) -> None:
        self._worker_pids.add(pid)

    def worker_ended(self, pid: int | None) -> None:
        self._worker_pids.discard(pid or 0)

    def hear(self, message: Mapping[str, Any]) -> None:
        """What the worker says: it begins to measure; it has its samples, and not sent them yet."""
        if message["kind"] == "phase" and message["phase"] == "measure":
            self.begin()
        elif message["kind"] == "measured":
            self.end()

    def begin(self) -> None:
        """Measuring begins."""
        self._begin = usage(self._worker_pids, self.cpus)
        self._paging_before = paging_so_far(self.root, self._worker_pids)
        self._reading = asyncio.ensure_future(self._read_on())

    def end(self) -> None:
        """It ends; the workers must still be there.

        Of several stretches the worst load counts, and all the pages.
        """
        found = self._load(usage(self._worker_pids, self.cpus))
        if self.load is None or (found is not None and found.share > self.load.share):
            self.load = found
        paging = paging_between(self._paging_before, paging_so_far(self.root, self._worker_pids))
        self.paging = paging_together(self.paging, paging)
        self._stop()
        self._last = asyncio.ensure_future(self._read_once())

    def _load(self, end: Usage | None) -> ForeignLoad | None:
        processors = len(self.cpus) or os.cpu_count() or 1
        found = foreign_load(self._begin, end, (), processors)
        runnable = [each.runnable for each in self.readings if each.runnable is not None]
        if found is not None and runnable and not self.cpus:
            own = self.threads + 1  # the worker's, and the agent's that counts
            found = replace(found, runnable=max(median_low(runnable) - own, 0))
        if found is None or found.share <= FOREIGN_LOAD_LIMIT:
            return found  # nobody to name: looking at every process has its price
        elapsed = time.monotonic() - self._processes_at
        own_pids = (*self._worker_pids, os.getpid())
        culprits = name_culprits(self._processes, process_times(), elapsed, own_pids)
        return replace(found, culprits=culprits)

    async def _read_on(self) -> None:
        """Until a driver does not answer: the agent must not hang with it."""
        while not self._hangs:
            await self._read_once()
            await asyncio.sleep(self.period_s)

    async def _read_once(self) -> None:
        if self._hangs:
            return
        try:
            self.readings.append(await within(_ANSWER_S, self._read))
        except NoAnswer:
            self._hangs = True

    def _read(self) -> Reading:
        throttled = throttle_state(self.root)
        hottest = hottest_zone(self.root)
        return Reading(
            offset_ns=time.perf_counter_ns() - self.clock_origin_ns,
            frequency_mhz=fastest_mhz(self.root, self.cpus),
            flags=throttled.active if throttled else None,
            throttle_count=throttled.count if throttled else None,
            temperature_c=hottest.celsius if hottest else None,
            runnable=count_runnable(),
        )

    def _stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[Watch]:
        """Call it before the worker is there: who is busy is looked up at its beginning."""
        self._processes, self._processes_at = process_times(), time.monotonic()
        try:
            yield self
        finally:
            self._stop()
            if self._reading is not None:
                with contextlib.suppress(asyncio.CancelledError):
                    await self._reading
            if self._last is not None:
                await self._last
