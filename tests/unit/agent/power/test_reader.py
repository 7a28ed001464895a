"""One thread a source: jittered readings, sensors that give up, and one that never returns."""

import threading
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from trimtab_agent.power.reader import SourcePlan, SourceReader
from trimtab_agent.probes.base import Sensor, SensorError
from trimtab_agent.records import SensorInfo


class Played(Sensor):
    def __init__(self, name: str, read: Callable[[], float]) -> None:
        self.info = SensorInfo(name, "mW", "board", "instantaneous", 0, role="total")
        self._read = read

    def read(self) -> float:
        return self._read()


def read_for(seconds: float, *sensors: Sensor, period_s: float = 0.01) -> SourceReader:
    reader = SourceReader(SourcePlan("chip", sensors, period_s), time.perf_counter_ns())
    reader.start()
    time.sleep(seconds)
    assert reader.stop()
    return reader


def test_each_period_has_one_reading_at_a_moment_of_its_own() -> None:
    reader = read_for(0.5, Played("chip/a", lambda: 1500.0))
    series = reader.series["chip/a"]
    assert 30 <= len(series.values) <= 51
    assert set(series.values) == {1500.0}
    assert list(series.offset_ns) == sorted(series.offset_ns)
    steps = [after - before for before, after in pairwise(series.offset_ns)]
    assert max(steps) - min(steps) > 4e6, "a fixed rhythm could meet a signal's own"


def test_a_sensor_that_vanishes_costs_itself_alone() -> None:
    answers = iter([1000.0, 1001.0])

    def vanishing() -> float:
        try:
            return next(answers)
        except StopIteration:
            raise SensorError("sensor chip/a does not answer") from None

    reader = read_for(0.3, Played("chip/a", vanishing), Played("chip/b", lambda: 7.0))
    assert list(reader.series["chip/a"].values) == [1000.0, 1001.0]
    assert reader.failures == {
        "chip/a": "it stopped answering while measuring: sensor chip/a does not answer"
    }
    assert len(reader.series["chip/b"].values) > 15


def test_a_driver_that_is_busy_once_is_asked_again() -> None:
    count = iter(range(1000))

    def busy_every_third() -> float:
        if next(count) % 3 == 0:
            raise SensorError("busy")
        return 5.0

    reader = read_for(0.3, Played("chip/a", busy_every_third))
    assert reader.failures == {}
    assert len(reader.series["chip/a"].values) > 8


def test_a_third_party_sensor_may_raise_anything() -> None:
    reader = read_for(0.1, Played("chip/a", lambda: float("two watts")))
    assert "ValueError" in reader.failures["chip/a"]


def test_one_that_hangs_is_left_behind_and_says_for_how_long() -> None:
    released = threading.Event()

    def hang() -> float:
        released.wait(10)
        return 1.0

    reader = SourceReader(SourcePlan("chip", (Played("chip/a", hang),), 0.01), 0)
    reader.start()
    time.sleep(0.2)
    assert not reader.stop(join_s=0.1)
    assert reader.is_alive
    assert reader.silent_s == pytest.approx(0.3, abs=0.15)
    released.set()
    assert reader.stop()
