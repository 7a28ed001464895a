"""Freed memory goes back to the system, and not in the middle of a measurement."""

from __future__ import annotations

import asyncio

import psutil
import pytest
from trimtab_agent import housekeeping
from trimtab_agent.housekeeping import memory_given_back

MB = 1_000_000


async def looks(monkeypatch: pytest.MonkeyPatch, resident: list[int], is_busy: bool) -> int:
    """How often memory was given back when it was looked for so often."""
    given: list[None] = []
    seen = iter(resident)
    done = asyncio.Event()

    def resident_bytes() -> int:
        found = next(seen, None)
        if found is None:
            done.set()
        return found or 0

    monkeypatch.setattr(housekeeping, "_LOOK_S", 0.001)
    monkeypatch.setattr(housekeeping, "_resident_bytes", resident_bytes)
    monkeypatch.setattr(housekeeping, "give_memory_back", lambda: given.append(None))
    async with memory_given_back(lambda: is_busy):
        await asyncio.wait({asyncio.ensure_future(done.wait())}, timeout=0.2)
    return len(given)


async def test_what_grew_is_given_back_and_the_rest_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grown_once = [50 * MB, 50 * MB, 60 * MB, 51 * MB, 51 * MB]
    assert await looks(monkeypatch, grown_once, is_busy=False) == 1


async def test_nothing_is_touched_while_a_job_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await looks(monkeypatch, [50 * MB, 90 * MB], is_busy=True) == 0


async def test_the_kernel_tells_what_is_resident() -> None:
    assert housekeeping._resident_bytes() == pytest.approx(
        psutil.Process().memory_info().rss, rel=0.1
    )
