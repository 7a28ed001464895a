"""How much one caller may ask: a bucket of calls, so many at a time, each caller its own."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from trimtab_agent.callers import caller_key, shown_holder
from trimtab_agent.limits import Callers, CallLimits
from trimtab_protos.errors import RateLimited


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def callers(clock: Clock) -> Callers:
    return Callers(CallLimits(calls_per_s=10, calls_at_once=3), clock)


def call(callers: Callers, key: str = "a", times: int = 1) -> None:
    for _ in range(times):
        with callers.admitted(key):
            pass


def refusal(callers: Callers) -> float:
    with pytest.raises(RateLimited) as caught:
        call(callers)
    return float(caught.value.metadata["retry_after_s"])


def test_a_burst_is_served_then_the_rate(callers: Callers, clock: Clock) -> None:
    call(callers, times=20)
    assert refusal(callers) == pytest.approx(0.1)
    clock.now += 0.1
    call(callers)
    refusal(callers)
    clock.now += 3600
    call(callers, times=20)
    refusal(callers)


def test_waiting_as_long_as_was_said_is_enough(callers: Callers, clock: Clock) -> None:
    call(callers, times=20)
    for _ in range(50):
        clock.now += refusal(callers) + 1e-9
        call(callers)


def test_one_callers_calls_are_not_anothers(callers: Callers) -> None:
    call(callers, times=20)
    call(callers, "b", times=20)


def test_calls_under_way_are_counted_until_they_end(callers: Callers, clock: Clock) -> None:
    with ExitStack() as under_way:
        for _ in range(3):
            under_way.enter_context(callers.admitted("a"))
        assert refusal(callers) == 1
        call(callers, "b")
    call(callers)
    with pytest.raises(ZeroDivisionError), callers.admitted("a"):
        raise ZeroDivisionError
    clock.now += 10
    with ExitStack() as under_way:
        for _ in range(3):
            under_way.enter_context(callers.admitted("a"))


def test_strangers_without_end_take_no_memory_without_end(callers: Callers, clock: Clock) -> None:
    for number in range(5000):
        clock.now += 0.2
        call(callers, f"stranger {number}")
    assert len(callers._callers) <= 1000
    with callers.admitted("busy"):
        for number in range(3000):
            clock.now += 0.2
            call(callers, f"another {number}")
        assert callers._callers["busy"].under_way == 1


class Context:
    def __init__(self, peer: str) -> None:
        self._peer = peer

    def peer(self) -> str:
        return self._peer


@pytest.mark.parametrize(
    ("peer", "key"),
    [
        ("unix:", "unix"),
        ("unix:/run/agent.sock", "unix"),
        ("ipv4:127.0.0.1:51234", "127.0.0.1"),
        ("ipv6:%5B::1%5D:51234", "%5B::1%5D"),
    ],
)
def test_callers_in_the_clear_are_told_apart_by_their_hosts(peer: str, key: str) -> None:
    context: Any = Context(peer)
    assert caller_key(context) == key
    assert shown_holder("ann", context) == "ann"
