"""The temperature gate: waiting until the device is cool enough to start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from trimtab_agent.disturbance import Gate
from trimtab_agent.probes.thermal import Temperature

_POLL_S = 1.0


async def wait_until_cool(
    read: Callable[[], Awaitable[Temperature | None]],
    limit_c: float,
    timeout_ns: int,
    on_wait: Callable[[Temperature], Awaitable[None]],
    clock: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Gate:
    """Returns at once where it is cool, or where there is no temperature; else at the time-out.

    ``on_wait`` is called once, where there is something to wait for.
    """
    begin = clock()
    waiting = False
    while True:
        now, waited = await read(), clock() - begin
        if now is None:
            return Gate(limit_c, None, "", waited, None)
        met = now.celsius <= limit_c
        if met or waited >= timeout_ns:
            return Gate(limit_c, now.celsius, now.scope, waited, met)
        if not waiting:
            waiting = True
            await on_wait(now)
        await sleep(min(_POLL_S, (timeout_ns - waited) / 1e9))
