"""One repeat: load, first inference, warm-up, and the timed loop, in a process of its own."""

from __future__ import annotations

import gc
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab_agent.measure import Limits, Run, Samples, take_samples
from trimtab_agent.phases import choose_count, take_pilot, warm_up_until_steady
from trimtab_agent.runtimes.base import Session
from trimtab_agent.sustained import take_sustained
from trimtab_agent.worker.channel import Channel
from trimtab_agent.worker.limits import count_limits, warm_up_limits
from trimtab_agent.worker.loading import start_session
from trimtab_agent.worker.messages import SAMPLES_PER_MESSAGE, WorkerTask
from trimtab_agent.worker.periodic import measure_periodic
from trimtab_agent.worker.timed import timed_call
from trimtab_agent.worker.windows import counting_cores, sleep_idle, tell_measured

if TYPE_CHECKING:
    from trimtab_agent.runtimes.base import Tensors


def measure_repeat(task: WorkerTask, channel: Channel) -> None:
    """Measure latency; raises WorkerError where the model cannot be run."""
    started = start_session(task, channel)
    session = started.session
    sleep_idle(task, channel)
    samples = _measure(session, task, channel)
    sleep_idle(task, channel)
    for starts, latencies in samples.batches(SAMPLES_PER_MESSAGE, task.clock_origin_ns):
        channel.send("samples", start_offset_ns=starts, latency_ns=latencies)
    channel.send("finite", finite=outputs_finite(session))
    channel.send("io", duration_ns=_io_duration(session, started.inputs))
    session.close()


def _measure(session: Session, task: WorkerTask, channel: Channel) -> Samples:
    if task.rate_hz is not None:
        return measure_periodic(session, task, channel)
    clock = time.perf_counter_ns
    channel.send("phase", phase="warm_up")
    with timed_call(session, task) as call:
        warm = warm_up_until_steady(call, clock, warm_up_limits(task))
    channel.send("warmed_up", **asdict(warm))
    channel.send("phase", phase="measure")
    gc.collect()
    gc.freeze()
    gc.disable()
    take = _fixed_count if task.sustain_ns is None else _sustained
    with timed_call(session, task) as call, counting_cores() as busy:
        samples, told = take(call, task)
    gc.enable()
    channel.send("measured", sample_count=len(samples), duration_ns=samples.duration_ns, **told)
    tell_measured(task, channel, samples, busy, told.get("inference_count"))
    return samples


def _fixed_count(call: Run, task: WorkerTask) -> tuple[Samples, dict[str, Any]]:
    """The samples, and what is told of how many they are."""
    clock = time.perf_counter_ns
    limits = count_limits(task)
    plan = choose_count(take_pilot(call, clock, limits), limits)
    samples = take_samples(call, clock, Limits(plan.count, 0, task.max_duration_ns), plan.count)
    return samples, {"planned_count": plan.count, "plan_reason": plan.reason}


def _sustained(call: Run, task: WorkerTask) -> tuple[Samples, dict[str, Any]]:
    taken = take_sustained(call, time.perf_counter_ns, task.sustain_ns or 0)
    told = {"timed_every": taken.timed_every, "inference_count": taken.inference_count}
    return taken.samples, told


def _io_duration(session: Session, inputs: Tensors) -> int:
    """The last run's outputs copied out, inputs copied into the bound buffers once more."""
    start = time.perf_counter_ns()
    outputs = session.output_values()
    session.bind(inputs)
    duration = time.perf_counter_ns() - start
    del outputs
    return duration


def outputs_finite(session: Session) -> bool:
    return all(
        bool(np.isfinite(array).all())
        for array in session.output_values().values()
        if array.dtype.kind == "f"
    )
