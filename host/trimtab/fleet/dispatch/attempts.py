"""How often a device is tried before it is set aside."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping

from trimtab_protos.errors import Failure

from trimtab.fleet.dispatch.pauses import pause_s
from trimtab.fleet.dispatch.workload import Rules
from trimtab.records import RawArm


class SetAside(Exception):
    """Nothing more is asked of this device in this run."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Attempts:
    """``is_local``: its agent is started anew, so nothing is gained by waiting for it.

    A connection is worth something where an event or a file gets through: one that only answers
    counts as none, or a line that passes nothing but short messages would be tried for ever.
    """

    def __init__(self, rules: Rules, is_local: bool) -> None:
        self._rules = rules
        self._is_local = is_local
        self._silent_since: float | None = None
        self._lost = 0  # connections since something got through
        self._fruitless = 0  # those among them on which the device answered
        self._progress_at = time.monotonic()
        self._was_reached = False
        self._of_arm: Counter[str] = Counter()
        self.consecutive = 0

    def reached(self) -> None:
        self._was_reached = True
        self._silent_since = None
        self._fruitless += 1

    def progressed(self) -> None:
        if not self._is_local:  # a local agent that dies each time must come to an end
            self._lost = self._fruitless = 0
            self._progress_at = time.monotonic()

    def reconnect(self) -> bool:
        """Whether to ask again where nobody answers.

        A device that never did is asked a few times; one that did may reboot meanwhile.
        """
        self._lost += 1
        if self._is_local or not self._was_reached:
            return self._lost < self._rules.attempts
        now = time.monotonic()
        self._silent_since = now if self._silent_since is None else self._silent_since
        since = self._silent_since
        if self._fruitless > self._rules.attempts:
            since = min(since, self._progress_at)
        return now - since < self._rules.patience_s

    @property
    def pause_s(self) -> float:
        return pause_s(self._lost)

    def note(self, counted: Collection[str], cut_off: Mapping[str, RawArm]) -> bool:
        """Whether something is to be tried again. Raises SetAside after too many jobs in a row
        without any outcome."""
        if counted:
            self.consecutive = self._lost = self._fruitless = 0
        elif cut_off:
            failure = next(iter(cut_off.values())).failure
            self.refused(failure or Failure("device", "the job was cut off"))
        return bool(cut_off)

    def refused(self, failure: Failure) -> None:
        """Raises SetAside the last time."""
        self.consecutive += 1
        if self.consecutive >= self._rules.attempts:
            raise SetAside(failure)

    def exhausted(self, cut_off: Mapping[str, RawArm]) -> dict[str, RawArm]:
        """Those that were tried as often as they may, with what they failed of the last time."""
        self._of_arm.update(cut_off.keys())
        return {
            key: raw for key, raw in cut_off.items() if self._of_arm[key] >= self._rules.attempts
        }
