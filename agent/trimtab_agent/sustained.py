"""The timed loop of a sustained load: however long it lasts, its samples keep within one room.

Pure; the clock is handed in.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from trimtab_agent.measure import SETTLING_RUNS, Clock, Run, Samples

ROOM = 1 << 18  # 4 MiB of samples: ten minutes beside a model on a board with 1 GB


@dataclass(frozen=True)
class Sustained:
    """One inference in ``timed_every`` was timed, evenly from the first to the last."""

    samples: Samples
    timed_every: int

    @property
    def inference_count(self) -> int:
        return (len(self.samples) - 1) * self.timed_every + 1


def take_sustained(run: Run, clock: Clock, duration_ns: int, room: int = ROOM) -> Sustained:
    """Run back to back for ``duration_ns``. ``room``: how many samples there may be, even.

    Where the room is full, every second sample is dropped and half as many are taken from then on:
    a pilot cannot know how fast a device becomes that is still throttled when it begins.
    """
    starts, latencies = array("q", bytes(8 * room)), array("q", bytes(8 * room))
    for _ in range(SETTLING_RUNS):
        run()
    every = 1
    used, done = _fill(run, clock, duration_ns, (starts, latencies, 0), every)
    while not done:
        starts[: room // 2], latencies[: room // 2] = starts[::2], latencies[::2]
        every *= 2
        used, done = _fill(run, clock, duration_ns, (starts, latencies, room // 2), every)
    return Sustained(Samples(starts[:used], latencies[:used]), every)


def _fill(
    run: Run, clock: Clock, duration_ns: int, room: tuple[array[int], array[int], int], every: int
) -> tuple[int, bool]:
    """The loop itself, from the position ``room`` ends with: how much is used, whether time is up.

    The inferences that are skipped come after the timed one, so that a room which is thinned out
    goes on at its new distance.
    """
    starts, latencies, first = room
    skipped = range(every - 1)
    for index in range(first, len(starts)):
        start = clock()
        run()
        end = clock()
        starts[index] = start
        latencies[index] = end - start
        if end - starts[0] >= duration_ns:
            return index + 1, True
        for _ in skipped:
            run()
    return len(starts), False
