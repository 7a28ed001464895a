"""Warm-up, pilot and count on a clock that tells what the test says."""

from collections.abc import Callable
from typing import Any

import pytest
from trimtab_agent.measure import MAX_SAMPLES, Samples
from trimtab_agent.phases import (
    CountLimits,
    WarmUpLimits,
    choose_count,
    precision_count,
    take_pilot,
    warm_up_until_steady,
)

MS = 1_000_000


class Run:
    """Lasts what ``duration`` says of the time that has gone by, in nanoseconds."""

    def __init__(self, duration: Callable[[int], int]) -> None:
        self.now = 0
        self._duration = duration

    def __call__(self) -> None:
        self.now += self._duration(self.now)

    def clock(self) -> int:
        return self.now


def warm_up(duration: Callable[[int], int], **changes: Any) -> Any:
    values: dict[str, Any] = {
        "min_count": 5,
        "min_duration_ns": 200 * MS,
        "max_duration_ns": 2000 * MS,
        "tolerance": 0.05,
    }
    run = Run(duration)
    return warm_up_until_steady(run, run.clock, WarmUpLimits(**{**values, **changes}))


def test_a_steady_model_warms_up_for_the_minimum() -> None:
    warm = warm_up(lambda now: MS)
    assert warm.settled is True
    assert warm.spread == 0.0
    assert warm.count == 200
    assert warm.duration_ns == 200 * MS


def test_a_model_that_gets_faster_is_waited_for() -> None:
    warm = warm_up(lambda now: max(MS, 10 * MS - now // 100))
    assert warm.settled is True
    assert warm.spread <= 0.05
    assert 900 * MS < warm.duration_ns < 1200 * MS


def test_a_model_that_never_settles_stops_at_the_maximum_and_says_by_how_much() -> None:
    warm = warm_up(lambda now: MS if (now // (100 * MS)) % 2 else 2 * MS)
    assert warm.settled is False
    assert warm.spread > 0.5
    assert 2000 * MS <= warm.duration_ns < 2100 * MS


def test_a_model_too_slow_for_three_windows_is_unknown() -> None:
    warm = warm_up(lambda now: 900 * MS, max_duration_ns=1000 * MS)
    assert (warm.settled, warm.spread) == (None, None)
    assert warm.count >= 5


def test_without_a_tolerance_the_minimums_alone_count() -> None:
    warm = warm_up(lambda now: MS if (now // (60 * MS)) % 2 else 2 * MS, tolerance=0.0)
    assert warm.settled is None
    assert warm.duration_ns < 300 * MS


def pilot(*latencies: int) -> Samples:
    samples = Samples()
    now = 0
    for latency in latencies:
        samples.start_ns.append(now)
        samples.latency_ns.append(latency)
        now += latency
    return samples


@pytest.mark.parametrize(
    ("limits", "count", "reason"),
    [
        (CountLimits(100, 10 * MS, 10**12), 100, "the minimum count"),
        (CountLimits(100, 500 * MS, 10**12), 600, "the minimum duration"),
        (CountLimits(100, 10 * MS, 10**12, 221), 221, "the percentile asked for"),
        (
            CountLimits(5000, 10 * MS, 1000 * MS),
            1000,
            "the maximum duration (the minimum count would need 5000)",
        ),
        (CountLimits(1, 1000 * MS, 1000 * MS), 1200, "the minimum duration"),
    ],
)
def test_the_largest_minimum_decides_within_the_maximum(
    limits: CountLimits, count: int, reason: str
) -> None:
    chosen = choose_count(pilot(*[MS] * 50), limits)
    assert (chosen.count, chosen.reason) == (count, reason)


def test_a_disturbed_pilot_does_not_make_the_measurement_too_short() -> None:
    """One fast run in a pilot of slow ones: at that pace, too, the minimum duration is met."""
    chosen = choose_count(pilot(*[3 * MS] * 20, MS, 3 * MS), CountLimits(1, 300 * MS, 10**12))
    assert chosen.count == 360  # a fifth more than at its pace


def test_the_room_for_samples_is_a_limit() -> None:
    chosen = choose_count(pilot(*[100] * 50), CountLimits(1, 10**12, 10**13))
    assert chosen.count == MAX_SAMPLES
    assert "room" in chosen.reason


def test_precision_asks_for_more_where_the_pilot_varies_more() -> None:
    calm = [MS + (step % 2) * MS // 100 for step in range(200)]
    slow_waves = [MS + (step // 20 % 2) * MS // 10 for step in range(200)]
    assert precision_count(slow_waves, 0.01) > 20 * max(precision_count(calm, 0.01), 1)
    assert precision_count(slow_waves, 0.005) == pytest.approx(
        4 * precision_count(slow_waves, 0.01), rel=0.01
    )
    assert precision_count(slow_waves, 0.0) == 0


def test_the_pilot_of_a_slow_model_is_short() -> None:
    run = Run(lambda now: 800 * MS)
    assert len(take_pilot(run, run.clock, CountLimits(1, 1, 10**12))) <= 5
