"""A device that is in no state to begin a job: too hot, too full, too low. It may become fit."""

from __future__ import annotations

import math
import time

from trimtab_protos.errors import Failure
from trimtab_protos.failure import GATE_REFUSED

from trimtab.fleet.dispatch.attempts import SetAside
from trimtab.fleet.dispatch.job import JobEnd
from trimtab.fleet.dispatch.pauses import pause_s
from trimtab.fleet.dispatch.telling import Teller
from trimtab.fleet.dispatch.workload import Rules


def refusal_of(end: JobEnd) -> Failure | None:
    """Why the job was not begun; None where it was. The gate stands before all of its arms."""
    if end.counted:
        return None
    failures = [raw.failure for raw in end.cut_off.values() if raw.failure is not None]
    return next((each for each in failures if each.is_of_the_gate), None)


class GateWait:
    """For as long as the run has patience with a device, or a job has time, if that is less."""

    def __init__(self, rules: Rules, teller: Teller) -> None:
        self._limit_s = min(rules.patience_s, rules.job_deadline_s or math.inf)
        self._teller = teller
        self._since: float | None = None
        self._refusals = 0

    def passed(self) -> None:
        self._since, self._refusals = None, 0

    def pause_s(self, refusal: Failure) -> float:
        """Until the job is asked for again. Raises SetAside where the time is over."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        left_s = self._since + self._limit_s - now
        if left_s <= 0:
            raise SetAside(refusal)
        self._refusals += 1
        reason = refusal.message.removeprefix(GATE_REFUSED)
        self._teller.say(f"waiting, {math.ceil(left_s)} s more at most: {reason}", "warning")
        return min(pause_s(self._refusals), left_s)  # the last try is when the time is over
