"""The same question again, where a refusal may pass."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from trimtab_protos.errors import (
    DeviceMeasuring,
    EventsTrimmed,
    InternalError,
    JobArtifactMissing,
    JobUnknown,
    LeaseExpired,
    OffsetMismatch,
    QueueFull,
    RateLimited,
)

from trimtab.fleet.dispatch.attempts import Attempts
from trimtab.fleet.dispatch.pauses import pause_s
from trimtab.fleet.dispatch.telling import Teller
from trimtab.fleet.errors import device_failure

_Answer = TypeVar("_Answer")
# The device has nothing of the job any more.
GONE = (EventsTrimmed, JobUnknown)
# Others use the device, or send it the same file.
_BUSY = (DeviceMeasuring, OffsetMismatch, QueueFull, RateLimited)
_BUSY_PAUSES = 3
# Refusals that another try may get past; every other one is the same the next time.
_PASSING = (InternalError, JobArtifactMissing, LeaseExpired)


async def asked_until_answered(
    ask: Callable[[], Awaitable[_Answer]], attempts: Attempts, teller: Teller
) -> _Answer:
    """``ask``: of one submission, which is one job, however often it is asked.

    Raises SetAside where that goes on for too long, TrimtabError for every other refusal.
    """
    while True:
        try:
            return await ask()
        except _BUSY as error:
            attempts.progressed()
            pause = float(error.metadata.get("retry_after_s") or pause_s(_BUSY_PAUSES))
            teller.say(f"waiting: {error.message}")
        except _PASSING as error:
            attempts.refused(device_failure(error))
            pause = pause_s(attempts.consecutive)
            teller.say(f"trying again: {error.message}", "warning")
        await asyncio.sleep(pause)
