"""Short timed blocks on command, so that two workers can take turns."""

from __future__ import annotations

import gc
import json
import sys
import time
from dataclasses import asdict
from typing import Any

from trimtab_agent.measure import Limits, Run, Samples, sample_capacity, take_samples
from trimtab_agent.phases import warm_up_until_steady
from trimtab_agent.worker.channel import Channel
from trimtab_agent.worker.limits import warm_up_limits
from trimtab_agent.worker.loading import start_session
from trimtab_agent.worker.messages import SAMPLES_PER_MESSAGE, WorkerTask
from trimtab_agent.worker.repeat import outputs_finite
from trimtab_agent.worker.timed import timed_call


def measure_blocks(task: WorkerTask, channel: Channel) -> None:
    """Load, warm up, then one block a command; raises WorkerError where the model cannot be run."""
    session = start_session(task, channel).session
    channel.send("phase", phase="warm_up")
    with timed_call(session, task) as call:
        warm = warm_up_until_steady(call, time.perf_counter_ns, warm_up_limits(task))
    channel.send("warmed_up", **asdict(warm))
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
