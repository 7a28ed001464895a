"""How long a device is waited for that is too hot, too full or too low to begin a job."""

from __future__ import annotations

import pytest
from trimtab.fleet.collect import failed_arm
from trimtab.fleet.dispatch import gate
from trimtab.fleet.dispatch.attempts import SetAside
from trimtab.fleet.dispatch.gate import GateWait, refusal_of
from trimtab.fleet.dispatch.job import JobEnd
from trimtab.fleet.dispatch.telling import Teller
from trimtab.fleet.dispatch.workload import Rules
from trimtab.fleet.progress import Progress
from trimtab_protos.errors import Failure

from .played_agent import ARMS

HOT = Failure("device", "the health gate refused the job: the device is at 81 °C")


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(gate, "time", clock)
    return clock


def waited_s(wait: GateWait, clock: Clock) -> float:
    """All in all, with a gate that never opens."""
    began = clock.now

    def go_on() -> None:
        while True:
            clock.now += wait.pause_s(HOT)

    with pytest.raises(SetAside) as found:
        go_on()
    assert found.value.failure == HOT
    return clock.now - began


@pytest.mark.parametrize(
    ("rules", "limit_s"),
    [
        (Rules(attempts=1, patience_s=60), 60),
        (Rules(patience_s=60, job_deadline_s=20), 20),
        (Rules(patience_s=60, job_deadline_s=900), 60),
        (Rules(patience_s=0), 0),
    ],
)
def test_it_is_waited_for_as_long_as_there_is_patience_and_no_longer(
    rules: Rules, limit_s: float, clock: Clock
) -> None:
    wait = GateWait(rules, Teller("pi5", lambda progress: None))
    assert waited_s(wait, clock) == pytest.approx(limit_s)
    wait.passed()
    assert waited_s(wait, clock) == pytest.approx(limit_s)  # each time anew


def test_pauses_grow_and_each_says_what_is_waited_for(clock: Clock) -> None:
    told: list[Progress] = []
    wait = GateWait(Rules(patience_s=3600), Teller("pi5", told.append))
    pauses = [wait.pause_s(HOT) for _ in range(9)]
    clock.now += 100
    wait.pause_s(HOT)

    assert pauses[0] <= 1
    assert pauses[-1] >= 15
    assert told[0].text == "waiting, 3600 s more at most: the device is at 81 °C"
    assert told[-1].text.startswith("waiting, 3500 s more")


def test_only_a_job_that_was_not_begun_was_refused() -> None:
    refused = {each.name: failed_arm(each, HOT) for each in ARMS}
    rebooted = {"a": failed_arm(ARMS[0], Failure("device", "the device rebooted"))}

    assert refusal_of(JobEnd(cut_off=refused)) == HOT
    assert refusal_of(JobEnd(cut_off=rebooted)) is None
    assert refusal_of(JobEnd(counted=rebooted)) is None
