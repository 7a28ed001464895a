"""The callers of late, and what each of them has used up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from trimtab_protos.errors import RateLimited

from trimtab_agent.limits.bucket import TokenBucket

_BUSY_RETRY_S = 1.0
_MAX_REMEMBERED = 1000


@dataclass(frozen=True)
class CallLimits:
    """Of one caller. With the defaults 200 hosts that come from one address, each of which asks
    once a second for its turn and watches what goes on, stay below both."""

    calls_per_s: float
    calls_at_once: int = 1000

    @property
    def burst(self) -> float:
        return 2 * self.calls_per_s


@dataclass
class _Caller:
    bucket: TokenBucket
    under_way: int = 0


class Callers:
    """``clock``: seconds, monotonic."""

    def __init__(self, limits: CallLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._callers: dict[str, _Caller] = {}

    @contextmanager
    def admitted(self, key: str) -> Iterator[None]:
        """Around one call. Raises RateLimited with retry_after_s."""
        caller = self._known(key)
        if caller.under_way >= self._limits.calls_at_once:
            text = f"{caller.under_way} calls of yours are under way, the most this agent serves"
            raise RateLimited(f"{text} one caller", retry_after_s=f"{_BUSY_RETRY_S:g}")
        wait_s = caller.bucket.take(self._clock())
        if wait_s:
            text = f"more than {self._limits.calls_per_s:g} calls a second, the most this agent"
            raise RateLimited(f"{text} serves one caller", retry_after_s=f"{wait_s:.3f}")
        caller.under_way += 1
        try:
            yield
        finally:
            caller.under_way -= 1

    def _known(self, key: str) -> _Caller:
        caller = self._callers.get(key)
        if caller is None:
            if len(self._callers) >= _MAX_REMEMBERED:
                self._forget()
            bucket = TokenBucket(self._limits.calls_per_s, self._limits.burst, self._clock())
            caller = self._callers[key] = _Caller(bucket)
        return caller

    def _forget(self) -> None:
        """Those that a new entry would be no different from."""
        now = self._clock()
        for key, caller in list(self._callers.items()):
            if caller.under_way == 0 and caller.bucket.is_full(now):
                del self._callers[key]
