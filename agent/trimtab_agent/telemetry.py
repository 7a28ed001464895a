"""What a device is doing right now, a few figures a second at most, until nobody listens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.bounded import ANSWER_S, NoAnswer, within
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


@dataclass(frozen=True)
class Telemetry:
    """``root`` is where the kernel's files are read. Power is what the job's own readers saw last:
    a sensor is not asked twice."""

    root: Path
    meter: PowerMeter

    async def stream(self, period_s: float, wanted: Collection[str]) -> AsyncIterator[Moment]:
        """``period_s`` 0: a second; ``wanted`` empty: everything."""
        period_s = max(period_s or PERIOD_S, SHORTEST_PERIOD_S)
        before = read_cpu_times(self.root)
        while True:
            await asyncio.sleep(period_s)
            after = read_cpu_times(self.root)
            try:
                values_now = await within(ANSWER_S, self.values)
            except NoAnswer:
                return
            told = {**values_now, "cpu_busy": busy_share(before, after)}
            before = after
            values = {
                name: value
                for name, value in told.items()
                if value is not None and (not wanted or name in wanted)
            }
            yield Moment(boot_clock_ns(), values)

    def values(self) -> dict[str, float | None]:
        """Of this moment; None: the device cannot tell. It reads files and may block."""
        hottest = hottest_zone(self.root)
        available = meminfo(self.root).get("MemAvailable")
        return {
            "power_w": self.meter.latest_w(),
            "temperature_c": hottest.celsius if hottest else None,
            "frequency_mhz": fastest_mhz(self.root, ()),
            "memory_available_mb": None if available is None else available / 1e6,
        }


def boot_clock_ns() -> int:
    """It counts on while the machine sleeps, where there is such a clock."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
