"""The timed loop and the warm-up before it; pure, the clock is handed in."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

MAX_SAMPLES = 1 << 22  # 64 MiB of samples: more would disturb the memory of a small board
_HEADROOM = 2.0
_MIN_CAPACITY = 256
_SETTLING_RUNS = 3  # making room for the samples cools the caches

Clock = Callable[[], int]
Run = Callable[[], object]


@dataclass(frozen=True)
class Limits:
    """The loop ends when both minimums are met, or at ``max_duration_ns``."""

    min_sample_count: int
    min_duration_ns: int
    max_duration_ns: int


@dataclass(frozen=True)
class WarmUp:
    """``fastest_ns``: the shortest single run, from which the room for samples is estimated."""

    count: int
    duration_ns: int
    fastest_ns: int


@dataclass
class Samples:
    """Raw nanoseconds in the order they were taken; starts are readings of the clock given."""

    start_ns: array[int] = field(default_factory=lambda: array("q"))
    latency_ns: array[int] = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.latency_ns)

    @property
    def duration_ns(self) -> int:
        """From the first start to the last end."""
        if not self.start_ns:
            return 0
        return self.start_ns[-1] + self.latency_ns[-1] - self.start_ns[0]

    def batches(self, size: int, origin_ns: int) -> Iterator[tuple[list[int], list[int]]]:
        """Pairs of (start offsets from ``origin_ns``, latencies), at most ``size`` of each."""
        for begin in range(0, len(self), size):
            starts = self.start_ns[begin : begin + size]
            yield (
                [start - origin_ns for start in starts],
                self.latency_ns[begin : begin + size].tolist(),
            )


def warm_up(run: Run, clock: Clock, min_count: int, min_duration_ns: int) -> WarmUp:
    """Run until both minimums are met."""
    begin = clock()
    count, elapsed, fastest = 0, 0, 0
    while count < min_count or elapsed < min_duration_ns:
        start = clock()
        run()
        end = clock()
        count += 1
        elapsed = end - begin
        fastest = end - start if count == 1 else min(fastest, end - start)
    return WarmUp(count, elapsed, fastest)


def sample_capacity(limits: Limits, fastest_ns: int) -> int:
    """How many samples to make room for, so that the loop does not have to stop and grow."""
    per_run = max(fastest_ns, 1)
    needed = max(limits.min_sample_count, int(_HEADROOM * limits.min_duration_ns / per_run))
    reachable = int(_HEADROOM * limits.max_duration_ns / per_run)
    return min(max(min(needed, reachable), _MIN_CAPACITY), MAX_SAMPLES)


def take_samples(run: Run, clock: Clock, limits: Limits, capacity: int) -> Samples:
    """Time ``run`` until ``limits`` are met.

    Where ``capacity`` was estimated too small, room is made between two runs, never within one; at
    MAX_SAMPLES it ends early (the minimum duration is then seen to be missed).
    """
    samples = Samples()
    begin: int | None = None
    done = False
    while not done and len(samples) < MAX_SAMPLES:
        room = min(capacity, MAX_SAMPLES - len(samples))
        starts, latencies = array("q", bytes(8 * room)), array("q", bytes(8 * room))
        for _ in range(_SETTLING_RUNS):
            run()
        used, done = _fill(run, clock, limits, begin, (starts, latencies, len(samples)))
        begin = starts[0] if begin is None else begin
        samples.start_ns.extend(starts[:used])
        samples.latency_ns.extend(latencies[:used])
    return samples


def _fill(
    run: Run,
    clock: Clock,
    limits: Limits,
    begin: int | None,
    room: tuple[array[int], array[int], int],
) -> tuple[int, bool]:
    """The loop itself: returns how much of the room was used, and whether the limits are met.

    ``begin`` is the first start of all, None in the first room; ``room`` ends with the number of
    samples in the rooms before.
    """
    starts, latencies, before = room
    min_count = limits.min_sample_count - before
    min_duration, max_duration = limits.min_duration_ns, limits.max_duration_ns
    for index in range(len(starts)):
        start = clock()
        run()
        end = clock()
        starts[index] = start
        latencies[index] = end - start
        begin = start if begin is None else begin
        elapsed = end - begin
        if elapsed >= min_duration and (index + 1 >= min_count or elapsed >= max_duration):
            return index + 1, True
    return len(starts), False
