"""What is left of calls when gRPC's server has been stopped."""

from __future__ import annotations

import asyncio
from typing import Any

_END_S = 2.0
_OF_A_CALL = "_schedule_rpc_coro"  # nothing public tells


async def last_calls_ended() -> None:
    """The server counts as stopped a moment before the tasks of the calls that it cut off have
    ended. Each that the end of the loop finds still there writes two tracebacks."""
    calls = {task for task in asyncio.all_tasks() if _name(task.get_coro()) == _OF_A_CALL}
    if calls:
        await asyncio.wait(calls, timeout=_END_S)


def _name(coroutine: Any) -> str:
    return str(getattr(coroutine, "__name__", ""))
