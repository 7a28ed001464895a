"""A call that may never return, in a thread that is left behind where it does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def within(timeout_s: float, function: Callable[..., T], *arguments: object) -> T:
    """Raises asyncio.TimeoutError, and what ``function`` raises. The thread does not keep the
    process alive."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(set_it: Callable[[], None]) -> None:
        if not done.done():
            set_it()

    def run() -> None:
        try:
            value = function(*arguments)
        except BaseException as error:
            failed = error
            _tell(loop, settle, lambda: done.set_exception(failed))
        else:
            _tell(loop, settle, lambda: done.set_result(value))

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wait_for(done, timeout_s)


def _tell(
    loop: asyncio.AbstractEventLoop,
    settle: Callable[[Callable[[], None]], None],
    set_it: Callable[[], None],
) -> None:
    """To nobody where the agent has ended meanwhile."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(settle, set_it)
