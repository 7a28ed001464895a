"""Short timed blocks on command, so that two workers can take turns."""

from __future__ import annotations

import gc
import json
import sys
import time
from typing import Any

from trimtab_agent.measure import Limits, Run, Samples, sample_capacity, take_samples, warm_up
from trimtab_agent.worker.channel import Channel
from trimtab_agent.worker.loading import (
    import_runtime,
    load_session,
    loaded_fields,
    prepare_inputs,
)
from trimtab_agent.worker.messages import SAMPLES_PER_MESSAGE, WorkerTask
from trimtab_agent.worker.repeat import duration_of_one, outputs_finite
from trimtab_agent.worker.timed import timed_call


def measure_blocks(task: WorkerTask, channel: Channel) -> None:
    """Load, warm up, then one block a command; raises WorkerError where the model cannot be run."""
    channel.send("phase", phase="load")
    runtime, info = import_runtime(task)
    session, load_ns = load_session(runtime, task)
    channel.send("loaded", **loaded_fields(session, info, load_ns))
    inputs = prepare_inputs(session, task)
    channel.send("phase", phase="first_inference")
    session.bind(inputs)
    channel.send("first_inference", duration_ns=duration_of_one(session))
    channel.send("phase", phase="warm_up")
    clock = time.perf_counter_ns
    with timed_call(session, task) as call:
        warm = warm_up(call, clock, task.min_warmup_count, task.warmup_duration_ns)
    channel.send("warmed_up", count=warm.count, duration_ns=warm.duration_ns)
    gc.collect()
    gc.freeze()
    gc.disable()
    channel.send("phase", phase="measure")
    channel.send("ready")
    for line in iter(sys.stdin.readline, ""):
        command = json.loads(line)
        with timed_call(session, task) as call:
            samples = _block(call, command, warm.fastest_ns)
        _answer(samples, command["block_index"], task.clock_origin_ns, channel)
    channel.send("finite", finite=outputs_finite(session))
    session.close()


def _block(call: Run, command: dict[str, Any], fastest_ns: int) -> Samples:
    duration_ns: int = command["duration_ns"]
    limits = Limits(1, duration_ns, duration_ns)
    for _ in range(command["discard_count"]):
        call()
    capacity = sample_capacity(limits, fastest_ns)
    return take_samples(call, time.perf_counter_ns, limits, capacity)


def _answer(samples: Samples, block_index: int, origin_ns: int, channel: Channel) -> None:
    for starts, latencies in samples.batches(SAMPLES_PER_MESSAGE, origin_ns):
        channel.send(
            "samples", start_offset_ns=starts, latency_ns=latencies, block_index=block_index
        )
    channel.send("block", block_index=block_index, sample_count=len(samples))
