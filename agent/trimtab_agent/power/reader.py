"""Reads one source's sensors in a thread of its own, so that one that hangs takes nobody along.

A reading falls on a random moment of its period, one in each (stratified random sampling): a signal
whose own period is a multiple of the reader's is not met at the same place every time.
"""

from __future__ import annotations

import random
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from trimtab_agent.probes.base import Sensor, SensorError

_MOST_ERRORS = 3  # a driver may be busy once
_JOIN_S = 0.5
MOST_READINGS = 1 << 18  # 4 MiB a sensor


@dataclass
class Series:
    """Nanoseconds from the clock's origin, and what was read, in the sensor's unit."""

    offset_ns: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))


@dataclass(frozen=True)
class SourcePlan:
    """``period_s``: one reading of each sensor in every period; ``busy_s``: of a processor, that
    all of them take once."""

    source: str
    sensors: tuple[Sensor, ...]
    period_s: float
    busy_s: float = 0.0

    def unit(self, name: str) -> str:
        return next(each.info.unit for each in self.sensors if each.info.name == name)


class SourceReader:
    """``series`` and ``failures`` (name -> reason) count once :meth:`stop` has returned True."""

    def __init__(
        self,
        plan: SourcePlan,
        origin_ns: int,
        clock: Callable[[], int] = time.perf_counter_ns,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.plan = plan
        self.series = {sensor.info.name: Series() for sensor in plan.sensors}
        self.failures: dict[str, str] = {}
        self._origin_ns = origin_ns
        self._clock = clock
        self._chance = chance
        self._errors = dict.fromkeys(self.series, 0)
        self._stopped = threading.Event()
        self._since_ns = clock()
        self._thread = threading.Thread(
            target=self._read_on, name=f"power {plan.source}", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self, join_s: float = _JOIN_S) -> bool:
        """Whether it ended; one that hangs in a read stays behind and is to be left alone."""
        self._stopped.set()
        self._thread.join(join_s)
        return not self._thread.is_alive()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def latest_mw(self, name: str) -> float | None:
        """Power as it was last seen, of a counter between its last two readings; None: not yet."""
        series = self.series[name]
        known = len(series.values)
        if self.plan.unit(name) == "mW":
            return series.values[known - 1] if known else None
        if known < 2:
            return None
        elapsed_s = (series.offset_ns[known - 1] - series.offset_ns[known - 2]) / 1e9
        spent_mj = series.values[known - 1] - series.values[known - 2]
        return spent_mj / elapsed_s if spent_mj >= 0 and elapsed_s > 0 else None

    @property
    def silent_s(self) -> float:
        """How long the read that is under way has lasted."""
        return (self._clock() - self._since_ns) / 1e9

    def _read_on(self) -> None:
        period_ns = int(self.plan.period_s * 1e9)
        begin = self._clock()
        turn = 0
        while not self._stopped.is_set():
            due = begin + int((turn + self._chance()) * period_ns)
            wait_ns = due - self._clock()
            if wait_ns > 0 and self._stopped.wait(wait_ns / 1e9):
                return
            if not self._read(self.plan.sensors):
                return
            turn = max(turn + 1, (self._clock() - begin) // period_ns)

    def _read(self, sensors: Sequence[Sensor]) -> bool:
        """False where no sensor is left to be read."""
        for sensor in sensors:
            if sensor.info.name not in self.failures:
                self._read_one(sensor)
        return len(self.failures) < len(self.series)

    def _read_one(self, sensor: Sensor) -> None:
        """The moment of a reading is the middle of its read."""
        name = sensor.info.name
        self._since_ns = before = self._clock()
        try:
            value = sensor.read()
        except Exception as error:  # a third party's sensor may raise anything
            self._errors[name] += 1
            if self._errors[name] >= _MOST_ERRORS:
                self.failures[name] = _reason(error)
            return
        self._since_ns = after = self._clock()
        self._errors[name] = 0
        series = self.series[name]
        if len(series.values) >= MOST_READINGS:
            self.failures[name] = f"more than {MOST_READINGS} readings: no room for them"
            return
        series.offset_ns.append((before + after) // 2 - self._origin_ns)
        series.values.append(float(value))


def _reason(error: Exception) -> str:
    if isinstance(error, SensorError):
        return f"it stopped answering while measuring: {error}"
    return f"it failed while measuring: {type(error).__name__}: {error}"
