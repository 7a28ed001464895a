"""A driver that never returns costs one thread, however many ask, and the rest is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from trimtab_agent import telemetry as module
from trimtab_agent.power.meter import PowerMeter
from trimtab_agent.probes.thermal import hottest_zone
from trimtab_agent.telemetry import Moment, Telemetry

MakeTelemetry = Callable[[], Telemetry]


class Driver:
    """Of the hottest zone: it hangs until it is let go."""

    def __init__(self) -> None:
        self.entered = 0
        self.let_go = threading.Event()

    def __call__(self, root: Path) -> None:
        self.entered += 1
        self.let_go.wait(30)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    driver = Driver()
    monkeypatch.setattr(module, "hottest_zone", driver)
    monkeypatch.setattr(module, "ANSWER_S", 0.2)
    monkeypatch.setattr(module, "SHORTEST_PERIOD_S", 0.01)
    yield driver
    driver.let_go.set()


async def told(telemetry: Telemetry, count: int) -> list[Moment]:
    moments: list[Moment] = []
    async for moment in telemetry.stream(0.01, ()):
        moments.append(moment)
        if len(moments) == count:
            break
    return moments


async def test_streams_and_scrapes_share_one_look_and_go_on(driver: Driver, tmp_path: Path) -> None:
    telemetry = Telemetry(Path("/"), PowerMeter(tmp_path))
    await asyncio.to_thread(int)  # asyncio keeps a thread for what is run in threads
    before = threading.active_count()
    streams = await asyncio.gather(*(told(telemetry, 3) for _ in range(5)))
    scrapes = [await asyncio.to_thread(telemetry.values) for _ in range(5)]

    assert driver.entered == 1
    assert all("cpu_busy" in moment.values for moments in streams for moment in moments)
    assert not any("temperature_c" in moment.values for moments in streams for moment in moments)
    assert all(each == {"power_w": None} for each in scrapes)
    assert threading.active_count() - before <= 1 + 5


async def test_once_it_answers_again_it_is_asked_again(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = Telemetry(Path("/"), PowerMeter(tmp_path))
    (moment,) = await told(telemetry, 1)
    assert "memory_available_mb" not in moment.values

    monkeypatch.setattr(module, "hottest_zone", hottest_zone)
    driver.let_go.set()
    for _ in range(100):
        (moment,) = await told(telemetry, 1)
        if "memory_available_mb" in moment.values:
            break
    assert moment.values["memory_available_mb"] > 0
    assert driver.entered == 1
