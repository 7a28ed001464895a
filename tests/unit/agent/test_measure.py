"""The timed loop on a clock that tells what the test says."""

from collections.abc import Callable, Sequence

import pytest
from trimtab_agent.measure import MAX_SAMPLES, Limits, sample_capacity, take_samples, warm_up

SETTLING = 3


class FakeRun:
    """Runs that last what the script says (its last entry for ever), on a clock of their own."""

    def __init__(self, script: Sequence[int]) -> None:
        self.now = 1000
        self.count = 0
        self._script = script

    def __call__(self) -> None:
        self.now += self._script[min(self.count, len(self._script) - 1)]
        self.count += 1

    def clock(self) -> int:
        return self.now


@pytest.fixture
def fake() -> Callable[[Sequence[int]], FakeRun]:
    return FakeRun


def test_samples_keep_the_order_they_were_taken_in(
    fake: Callable[[Sequence[int]], FakeRun],
) -> None:
    run = fake([1] * SETTLING + [50, 10, 40, 20, 30])
    samples = take_samples(run, run.clock, Limits(5, 0, 10**9), 5)
    assert samples.latency_ns.tolist() == [50, 10, 40, 20, 30]
    assert samples.start_ns.tolist() == [1003, 1053, 1063, 1103, 1123]
    assert samples.duration_ns == 150


def test_both_minimums_are_met(fake: Callable[[Sequence[int]], FakeRun]) -> None:
    by_count, by_duration = fake([10]), fake([10])
    limits = Limits(min_sample_count=7, min_duration_ns=30, max_duration_ns=10**6)
    assert len(take_samples(by_count, by_count.clock, limits, 100)) == 7
    limits = Limits(min_sample_count=7, min_duration_ns=200, max_duration_ns=10**6)
    samples = take_samples(by_duration, by_duration.clock, limits, 100)
    assert len(samples) == 20
    assert samples.duration_ns >= 200


def test_the_maximum_duration_ends_a_model_too_slow_for_the_count(
    fake: Callable[[Sequence[int]], FakeRun],
) -> None:
    run = fake([100])
    samples = take_samples(run, run.clock, Limits(1000, 100, 450), 1000)
    assert len(samples) == 5


def test_room_estimated_too_small_loses_nothing(fake: Callable[[Sequence[int]], FakeRun]) -> None:
    run = fake([10])
    samples = take_samples(run, run.clock, Limits(10, 250, 10**6), 4)
    assert len(samples) == len(samples.start_ns)
    assert samples.duration_ns >= 250


def test_batches_carry_every_sample_once_from_the_origin(
    fake: Callable[[Sequence[int]], FakeRun],
) -> None:
    run = fake([10])
    samples = take_samples(run, run.clock, Limits(5, 0, 10**9), 5)
    batches = list(samples.batches(2, origin_ns=1000))
    assert [len(latencies) for _, latencies in batches] == [2, 2, 1]
    assert [start for starts, _ in batches for start in starts] == [30, 40, 50, 60, 70]


def test_warm_up_meets_both_minimums_and_knows_the_fastest(
    fake: Callable[[Sequence[int]], FakeRun],
) -> None:
    run = fake([500, 20, 5, 30])
    warm = warm_up(run, run.clock, min_count=3, min_duration_ns=600)
    assert warm.count == run.count == 6
    assert warm.duration_ns >= 600
    assert warm.fastest_ns == 5


def test_capacity_has_headroom_within_the_hard_cap() -> None:
    assert sample_capacity(Limits(10, 10**9, 10**10), fastest_ns=10**6) == 2000
    assert sample_capacity(Limits(10**6, 10**9, 10**10), fastest_ns=10**8) == 256
    assert sample_capacity(Limits(10, 10**12, 10**12), fastest_ns=0) == MAX_SAMPLES
