"""A call that may never return, in a thread that is left behind where it does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
ANSWER_S = 5.0  # a driver that has not answered by then hangs


class NoAnswer(Exception):
    """The call has not returned. Not TimeoutError, which a driver may raise itself (ETIMEDOUT)."""


async def within(timeout_s: float, function: Callable[..., T], *arguments: object) -> T:
    """Raises NoAnswer, and what ``function`` raises. The thread does not keep the process alive."""
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
    try:
        finished, _ = await asyncio.wait({done}, timeout=timeout_s)
        if not finished:
            raise NoAnswer(f"no answer within {timeout_s:g} s")
        return done.result()
    finally:
        done.cancel()  # nobody waits for it any more


def _tell(
    loop: asyncio.AbstractEventLoop,
    settle: Callable[[Callable[[], None]], None],
    set_it: Callable[[], None],
) -> None:
    """To nobody where the agent has ended meanwhile."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(settle, set_it)
