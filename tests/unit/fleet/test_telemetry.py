"""What a device is doing, shown while it measures and kept out of logs."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

from rich.console import Console
from trimtab.cli.progress import progress_display
from trimtab.fleet.errors import DeviceUnreachable
from trimtab.fleet.progress import Progress
from trimtab.fleet.telemetry import line_of, told_live

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

    async def telemetry(self) -> AsyncIterator[tuple[str, int, float]]:
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
