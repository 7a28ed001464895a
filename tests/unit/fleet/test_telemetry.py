"""What a device is doing, shown while it measures and kept out of logs."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

from rich.console import Console
from trimtab.cli.progress import progress_display
from trimtab.fleet.errors import DeviceUnreachable
from trimtab.fleet.progress import Progress, shows_telemetry
from trimtab.fleet.telemetry import line_of, live_period_s, told_live

LINE = "4.21 W · 61 °C · 2400 MHz · 25% busy · 3120 MB free"
MEASURING = Progress("pi5", "m.onnx: repeat 1 of 3", 0, 4)


def test_what_is_known_stands_in_one_line_and_what_is_new_is_left_out() -> None:
    told = {
        "cpu_busy": 0.25,
        "memory_available_mb": 3120.4,
        "power_w": 4.2061,
        "temperature_c": 61.2,
        "frequency_mhz": 2400.0,
        "neutrinos": 3.0,
    }
    assert line_of(told) == LINE
    assert line_of({"cpu_busy": 1.0}) == "100% busy"


class Streaming:
    """A client whose device tells two moments, and breaks off."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def telemetry(self, period_s: float) -> AsyncIterator[tuple[str, int, float]]:
        self.asked.append(period_s)
        for moment, watts in ((1, 3.0), (2, 4.0), (3, 5.0)):
            yield "power_w", moment, watts
            yield "temperature_c", moment, 50.0
        raise DeviceUnreachable("pi5", "the connection broke")


def test_each_moment_is_one_line_and_a_broken_stream_breaks_nothing_else() -> None:
    lines: list[str] = []

    async def watch() -> None:
        client: Any = Streaming()
        async with told_live(client, lines.append):
            await asyncio.sleep(0.05)

    asyncio.run(watch())
    assert lines == ["3.00 W · 50 °C", "4.00 W · 50 °C"]


async def test_a_fleet_is_asked_less_often_and_for_a_log_not_at_all() -> None:
    client: Any = Streaming()
    with progress_display(Console(file=io.StringIO())) as log:
        assert not shows_telemetry(log)
    assert shows_telemetry(print)
    async with told_live(client, print, None):
        await asyncio.sleep(0)
    assert client.asked == []
    async with told_live(client, lambda line: None, live_period_s(200)):
        await asyncio.sleep(0.01)
    assert client.asked == [20.0]
    assert live_period_s(3) == 1.0


def test_a_terminal_shows_it_beside_what_goes_on_and_a_log_does_not() -> None:
    def shown(terminal: bool) -> str:
        stream = io.StringIO()
        console = Console(file=stream, force_terminal=terminal, width=140)
        with progress_display(console) as say:
            say(MEASURING)
            say(Progress("pi5", MEASURING.text, 0, 4, telemetry=LINE))
        return stream.getvalue()

    assert LINE in shown(terminal=True)
    assert shown(terminal=False).splitlines() == ["pi5 [1/4]: m.onnx: repeat 1 of 3"]


def test_of_more_devices_than_lines_those_that_go_on_are_shown() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=140, height=12)
    with progress_display(console) as say:
        for number in range(40):
            say(Progress(f"board-{number:02}", "repeat 1 of 3", 3 if number < 35 else 0, 3))
    last = stream.getvalue()
    assert "and 30 more devices" in last
    assert "board-39" in last
    assert "board-34" not in last
