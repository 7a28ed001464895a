"""One inference a period: what a camera or a microphone makes of a model."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from trimtab_agent.measure import Clock, Limits, Run, Samples
from trimtab_agent.phases import (
    WINDOW_COUNT,
    WINDOW_NS,
    SteadyWarmUp,
    WarmUpLimits,
    warm_up_by_windows,
)
from trimtab_agent.runtimes.base import Session
from trimtab_agent.worker.channel import Channel
from trimtab_agent.worker.limits import warm_up_limits
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.timed import timed_call
from trimtab_agent.worker.windows import counting_cores, tell_measured

_NS_PER_S = 10**9
Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Periodic:
    """``missed``: periods that began while the last inference still ran.

    ``latest_start_ns``: how long after its period's begin an inference started, at most.
    ``period_count``: of all periods, the last one with its sleep, which a device's power has in it.
    """

    samples: Samples
    missed: int
    latest_start_ns: int

    @property
    def period_count(self) -> int:
        return len(self.samples) + self.missed


def measure_periodic(session: Session, task: WorkerTask, channel: Channel) -> Samples:
    """Warm up and measure at ``task.rate_hz``; the warm-up keeps the same pace."""
    assert task.rate_hz is not None  # noqa: S101 - the caller asked
    period_ns = _NS_PER_S / task.rate_hz
    clock = time.perf_counter_ns
    channel.send("phase", phase="warm_up")
    with timed_call(session, task) as call:
        warm = warm_up_at_pace(call, clock, time.sleep, period_ns, warm_up_limits(task))
    channel.send("warmed_up", **asdict(warm))
    channel.send("phase", phase="measure")
    gc.collect()
    gc.freeze()
    gc.disable()
    limits = Limits(task.min_sample_count, task.min_duration_ns, task.max_duration_ns)
    with timed_call(session, task) as call, counting_cores() as busy:
        taken = take_periodic(call, clock, time.sleep, period_ns, limits)
    gc.enable()
    samples = taken.samples
    channel.send("measured", sample_count=len(samples), duration_ns=samples.duration_ns)
    channel.send(
        "periods",
        rate_hz=task.rate_hz,
        taken=len(samples),
        missed=taken.missed,
        latest_start_ns=taken.latest_start_ns,
    )
    end_ns = samples.start_ns[0] + round(taken.period_count * period_ns)
    if task.idle_ns:  # the last period's sleep is of the rate, what comes then is idle
        time.sleep(max(end_ns - clock(), 0) / _NS_PER_S)
    tell_measured(task, channel, samples, busy, end_ns=end_ns)
    return samples


def warm_up_at_pace(
    run: Run, clock: Clock, sleep: Sleep, period_ns: float, limits: WarmUpLimits
) -> SteadyWarmUp:
    """Until steady, one inference a period as in the measurement: sleeping is part of it."""
    window = Limits(WINDOW_COUNT, WINDOW_NS, limits.max_duration_ns or WINDOW_NS)

    def window_of() -> Sequence[int]:
        taken = take_periodic(run, clock, sleep, period_ns, window)
        sleep(period_ns / _NS_PER_S)
        return taken.samples.latency_ns

    return warm_up_by_windows(window_of, clock, limits)


def take_periodic(
    run: Run, clock: Clock, sleep: Sleep, period_ns: float, limits: Limits
) -> Periodic:
    """Time ``run`` once a period until both minimums are met, or ``max_duration_ns``.

    The processor sleeps up to each period's begin and is not kept busy for the last stretch: an
    application that waits for its next frame meets the same cold caches and lowered clocks. What
    the late waking takes is not in the latency, which counts from the call of ``run``.
    """
    samples = Samples()
    missed, latest, slot = 0, 0, 0
    begin = clock()
    while True:
        due = begin + math.ceil(slot * period_ns)
        while (wait := due - clock()) > 0:
            sleep(wait / _NS_PER_S)
        start = clock()
        run()
        end = clock()
        samples.start_ns.append(start)
        samples.latency_ns.append(end - start)
        latest = max(latest, start - due)
        elapsed = end - begin
        done = len(samples) >= limits.min_sample_count and elapsed >= limits.min_duration_ns
        if done or elapsed >= limits.max_duration_ns:
            return Periodic(samples, missed, latest)
        following = max(slot + 1, math.ceil((end - begin) / period_ns))
        missed += following - slot - 1
        slot = following
