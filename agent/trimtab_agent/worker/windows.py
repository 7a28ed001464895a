"""From when to when the worker measured and slept: what its power is counted over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from trimtab_agent.measure import Samples
from trimtab_agent.worker.channel import Channel
from trimtab_agent.worker.messages import WorkerTask


def sleep_idle(task: WorkerTask, channel: Channel) -> None:
    """The model stays loaded; what it draws so is what an inference adds to."""
    if not task.idle_ns:
        return
    channel.send("phase", phase="idle")
    begin = time.perf_counter_ns()
    time.sleep(task.idle_ns / 1e9)
    _tell(channel, task, "idle", begin, time.perf_counter_ns())


@dataclass
class Busy:
    """``cores``: processors that this process kept busy on the average."""

    cores: float = 0.0


@contextmanager
def counting_cores() -> Iterator[Busy]:
    busy = Busy()
    cpu, wall = time.process_time_ns(), time.perf_counter_ns()
    yield busy
    busy.cores = (time.process_time_ns() - cpu) / max(time.perf_counter_ns() - wall, 1)


def tell_measured(
    task: WorkerTask,
    channel: Channel,
    samples: Samples,
    busy: Busy,
    inference_count: int | None = None,
    end_ns: int | None = None,
) -> None:
    """``inference_count`` None: each was timed. ``end_ns`` None: with the last one."""
    if not len(samples):
        return
    begin = samples.start_ns[0]
    end = begin + samples.duration_ns if end_ns is None else end_ns
    count = len(samples) if inference_count is None else inference_count
    _tell(channel, task, "measure", begin, end, count, busy_cores=busy.cores)


def _tell(
    channel: Channel,
    task: WorkerTask,
    phase: str,
    begin_ns: int,
    end_ns: int,
    count: int = 0,
    **more: float,
) -> None:
    channel.send(
        "window",
        phase=phase,
        begin_offset_ns=begin_ns - task.clock_origin_ns,
        end_offset_ns=end_ns - task.clock_origin_ns,
        inference_count=count,
        **more,
    )
