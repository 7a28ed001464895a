"""What a device says of itself while a job runs, as one short line for whoever watches."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from trimtab_protos.errors import TrimtabError

from trimtab.fleet.client import AgentClient
from trimtab.fleet.errors import DeviceUnreachable

_FORMS: Mapping[str, Callable[[float], str]] = {
    "power_w": lambda value: f"{value:.2f} W",
    "temperature_c": lambda value: f"{value:.0f} °C",
    "frequency_mhz": lambda value: f"{value:.0f} MHz",
    "cpu_busy": lambda value: f"{value:.0%} busy",
    "memory_available_mb": lambda value: f"{value:.0f} MB free",
}

_LINES_A_SECOND = 10


@asynccontextmanager
async def told_live(
    client: AgentClient, on_line: Callable[[str], None], period_s: float | None = 1.0
) -> AsyncIterator[None]:
    """``on_line`` hears once a period; None: nothing is asked. An agent that streams nothing, or a
    connection that breaks, ends the telling and nothing else."""
    if period_s is None:
        yield
        return
    task = asyncio.ensure_future(_follow(client, on_line, period_s))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def live_period_s(devices: int) -> float:
    """A second for some; so long for many that ten lines a second come of all of them together:
    nobody reads more, and a run on 200 devices would spend most of its time on them."""
    return max(1.0, devices / _LINES_A_SECOND)


async def moments(client: AgentClient, period_s: float) -> AsyncIterator[Mapping[str, float]]:
    """What was told at one moment, by name, as soon as the next one begins; until the caller stops.

    Raises TrimtabError or DeviceUnreachable.
    """
    moment, told = 0, dict[str, float]()
    async for name, boot_time_ns, value in client.telemetry(period_s):
        if boot_time_ns != moment and told:
            yield told
            told = {}
        moment = boot_time_ns
        if math.isfinite(value):  # a sensor may say "not a number": that is no figure
            told[name] = value


async def _follow(client: AgentClient, on_line: Callable[[str], None], period_s: float) -> None:
    with contextlib.suppress(TrimtabError, DeviceUnreachable):
        async for told in moments(client, period_s):
            on_line(line_of(told))


def figure_text(told: Mapping[str, float], name: str) -> str:
    """ "" where it is not told."""
    return _FORMS[name](told[name]) if name in told else ""


def line_of(told: Mapping[str, float]) -> str:
    """What is known, in the order of importance; a figure that only a newer agent tells is left
    out."""
    return " · ".join(form(told[name]) for name, form in _FORMS.items() if name in told)
