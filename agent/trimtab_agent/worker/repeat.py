"""One repeat: load, first inference, warm-up, and the timed loop, in a process of its own."""

from __future__ import annotations

import gc
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab_agent.measure import Limits, Samples, take_samples
from trimtab_agent.phases import (
    CountLimits,
    WarmUpLimits,
    choose_count,
    take_pilot,
    warm_up_until_steady,
)
from trimtab_agent.runtimes.base import Session
from trimtab_agent.sustained import take_sustained
from trimtab_agent.worker.channel import Channel
from trimtab_agent.worker.loading import (
    import_runtime,
    load_session,
    loaded_fields,
    prepare_inputs,
)
from trimtab_agent.worker.messages import SAMPLES_PER_MESSAGE, WorkerTask
from trimtab_agent.worker.periodic import measure_periodic

if TYPE_CHECKING:
    from trimtab_agent.runtimes.base import Tensors


def measure_repeat(task: WorkerTask, channel: Channel) -> None:
    """Measure latency; raises WorkerError where the model cannot be run."""
    channel.send("phase", phase="load")
    runtime, info = import_runtime(task)
    session, load_ns = load_session(runtime, task)
    channel.send("loaded", **loaded_fields(session, info, load_ns))
    inputs = prepare_inputs(session, task)
    channel.send("phase", phase="first_inference")
    session.bind(inputs)
    channel.send("first_inference", duration_ns=duration_of_one(session))
    samples = _measure(session, task, channel)
    for starts, latencies in samples.batches(SAMPLES_PER_MESSAGE, task.clock_origin_ns):
        channel.send("samples", start_offset_ns=starts, latency_ns=latencies)
    channel.send("finite", finite=outputs_finite(session))
    channel.send("io", duration_ns=_io_duration(session, inputs))
    session.close()


def _measure(session: Session, task: WorkerTask, channel: Channel) -> Samples:
    if task.rate_hz is not None:
        return measure_periodic(session, task, channel)
    clock = time.perf_counter_ns
    channel.send("phase", phase="warm_up")
    warm = warm_up_until_steady(session.run, clock, _warm_up_limits(task))
    channel.send("warmed_up", **asdict(warm))
    channel.send("phase", phase="measure")
    gc.collect()
    gc.freeze()
    gc.disable()
    take = _fixed_count if task.sustain_ns is None else _sustained
    samples, told = take(session, task)
    gc.enable()
    channel.send("measured", sample_count=len(samples), duration_ns=samples.duration_ns, **told)
    return samples


def _fixed_count(session: Session, task: WorkerTask) -> tuple[Samples, dict[str, Any]]:
    """The samples, and what is told of how many they are."""
    clock = time.perf_counter_ns
    limits = _count_limits(task)
    plan = choose_count(take_pilot(session.run, clock, limits), limits)
    fixed = Limits(plan.count, 0, task.max_duration_ns)
    samples = take_samples(session.run, clock, fixed, plan.count)
    return samples, {"planned_count": plan.count, "plan_reason": plan.reason}


def _sustained(session: Session, task: WorkerTask) -> tuple[Samples, dict[str, Any]]:
    taken = take_sustained(session.run, time.perf_counter_ns, task.sustain_ns or 0)
    told = {"timed_every": taken.timed_every, "inference_count": taken.inference_count}
    return taken.samples, told


def _warm_up_limits(task: WorkerTask) -> WarmUpLimits:
    return WarmUpLimits(
        min_count=task.min_warmup_count,
        min_duration_ns=task.warmup_duration_ns,
        max_duration_ns=task.max_warmup_duration_ns,
        tolerance=task.steady_tolerance,
    )


def _count_limits(task: WorkerTask) -> CountLimits:
    return CountLimits(
        min_count=task.min_sample_count,
        min_duration_ns=task.min_duration_ns,
        max_duration_ns=task.max_duration_ns,
        percentile_count=task.percentile_sample_count,
        target_precision=task.target_precision,
    )


def duration_of_one(session: Session) -> int:
    start = time.perf_counter_ns()
    session.run()
    return time.perf_counter_ns() - start


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
