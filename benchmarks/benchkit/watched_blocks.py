"""Blocks of one worker in turns: the agent reads every sensor meanwhile, or leaves it alone."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from trimtab_agent.probes.base import Sensor, SensorError
from trimtab_agent.probes.registry import discover
from trimtab_agent.watch import PERIOD_S, Watch
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.process import Message, WorkerProcess

from benchkit.subjects import Subject

_TIMEOUT_NS = 300_000_000_000
_DISCARDED = 10


@dataclass(frozen=True)
class Turns:
    """``count`` pairs of blocks of ``block_ns`` each, watched and not (A B B A ...)."""

    root: Path
    count: int
    block_ns: int


@dataclass(frozen=True)
class Cost:
    """``ratio``: p50 watched over p50 alone, the pairs' geometric mean; ``p50_ns``: alone.

    ``processor_share``: what the agent took of one processor while it watched.
    """

    ratio: float
    p50_ns: float
    processor_share: float


async def measure_cost(task: WorkerTask, scratch: Path, turns: Turns) -> Cost:
    """Raises SystemExit where the worker fails."""
    async with _worker(task, scratch) as worker:
        ratios, alone, share = [], [], []
        for index in range(turns.count):
            p50: dict[bool, float] = {}
            for watched in (True, False) if index % 2 == 0 else (False, True):
                began, used = time.monotonic(), time.process_time()
                async with _reading(turns.root, worker.pid, watched):
                    p50[watched] = await worker.block(index, turns.block_ns)
                if watched:
                    share.append((time.process_time() - used) / (time.monotonic() - began))
            ratios.append(math.log(p50[True] / p50[False]))
            alone.append(p50[False])
    return Cost(math.exp(fmean(ratios)), median(alone), fmean(share))


class _Worker:
    def __init__(self, process: WorkerProcess) -> None:
        self.messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._process = process

    @property
    def pid(self) -> int:
        assert self._process.pid is not None  # noqa: S101 - it is ready
        return self._process.pid

    async def block(self, index: int, duration_ns: int) -> float:
        """The median of one block, in nanoseconds."""
        self._process.tell(
            {"block_index": index, "duration_ns": duration_ns, "discard_count": _DISCARDED}
        )
        return median([value for each in await self.until("block") for value in each])

    async def until(self, kind: str) -> list[list[int]]:
        """The samples that came before a message of that kind."""
        samples: list[list[int]] = []
        while (message := await self.messages.get()) is not None:
            if message["kind"] == kind:
                return samples
            if message["kind"] == "samples":
                samples.append(message["latency_ns"])
        raise SystemExit("the worker ended before it was told to")


@asynccontextmanager
async def _worker(task: WorkerTask, scratch: Path) -> AsyncIterator[_Worker]:
    process = WorkerProcess(task, scratch)
    worker = _Worker(process)
    running = asyncio.ensure_future(process.run(_TIMEOUT_NS, worker.messages.put_nowait))
    running.add_done_callback(lambda _: worker.messages.put_nowait(None))
    try:
        await worker.until("ready")
        yield worker
        process.tell_no_more()
        failure = await running
        if failure is not None:
            raise SystemExit(failure.message)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def _reading(root: Path, pid: int, watched: bool) -> AsyncIterator[None]:
    """All that the agent reads around a repeat, and every probe's sensors at the same period."""
    if not watched:
        yield
        return
    watch = Watch(root, time.perf_counter_ns(), (), 1)
    watch.worker_started(pid)
    async with watch.watching():
        watch.hear({"kind": "phase", "phase": "measure"})
        reading = asyncio.ensure_future(_read_on(discover(root)))
        try:
            yield
            watch.hear({"kind": "measured"})
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading


async def _read_on(sensors: list[Sensor]) -> None:
    while True:
        for sensor in sensors:
            with contextlib.suppress(SensorError):
                sensor.read()
        await asyncio.sleep(PERIOD_S)


def task_for(subject: Subject) -> WorkerTask:
    return WorkerTask(
        mode="blocks",
        runtime=subject.runtime,
        model_path=str(subject.model),
        inputs_path=str(subject.inputs),
        warmup_duration_ns=500_000_000,
        min_warmup_count=5,
    )
