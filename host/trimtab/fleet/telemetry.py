"""What a device says of itself while a job runs, as one short line for whoever watches."""

from __future__ import annotations

import asyncio
import contextlib
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


@asynccontextmanager
async def told_live(client: AgentClient, on_line: Callable[[str], None]) -> AsyncIterator[None]:
    """``on_line`` hears about once a second. An agent that streams nothing, or a connection that
    breaks, ends the telling and nothing else."""
    task = asyncio.ensure_future(_follow(client, on_line))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _follow(client: AgentClient, on_line: Callable[[str], None]) -> None:
    moment, told = 0, dict[str, float]()
    with contextlib.suppress(TrimtabError, DeviceUnreachable):
        async for name, boot_time_ns, value in client.telemetry():
            if boot_time_ns != moment and told:
                on_line(line_of(told))
                told = {}
            moment = boot_time_ns
            told[name] = value


def line_of(told: Mapping[str, float]) -> str:
    """What is known, in the order of importance; a figure that only a newer agent tells is left
    out."""
    return " · ".join(form(told[name]) for name, form in _FORMS.items() if name in told)
