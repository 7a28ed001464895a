"""Refusals in the log, few lines a minute: strangers must not fill a device's disk."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

PERIOD_S = 60.0
# Beyond so many in a period, those that come anew are told together.
MOST = 64
FURTHER = "further addresses"


@dataclass
class _Told:
    at: float
    peer: str
    left_out: int = 0


class RefusalLog:
    """One line a period for each who and why; how many were left out stands in the next one."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._told: dict[tuple[str, str], _Told] = {}

    def tell(self, who: str, why: str, peer: str = "") -> None:
        """``peer``: the record's, ``who`` unless given."""
        now = self._clock()
        if (who, why) not in self._told and len(self._told) >= MOST:
            self._forget(now - PERIOD_S)
            if len(self._told) >= MOST:
                who, peer = FURTHER, ""
        before = self._told.get((who, why))
        if before is not None and now - before.at < PERIOD_S:
            before.left_out += 1
            return
        self._told[who, why] = _Told(now, peer or who)
        often = "" if before is None else self._often(before, 1)
        self._say(who, why, often, peer or who)

    def tell_left_out(self) -> None:
        """At the agent's end: no next line is to come."""
        self._forget(self._clock())

    def _forget(self, until: float) -> None:
        for (who, why), told in list(self._told.items()):
            if told.at <= until:
                if told.left_out:
                    self._say(who, why, self._often(told, 0), told.peer)
                del self._told[who, why]

    def _often(self, before: _Told, now: int) -> str:
        if not before.left_out:
            return ""
        return f" ({before.left_out + now} times in the last {self._clock() - before.at:.0f} s)"

    def _say(self, who: str, why: str, often: str, peer: str) -> None:
        self._log.warning("refused %s: %s%s", who, why, often, extra={"peer": peer})
