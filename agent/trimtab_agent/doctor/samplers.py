"""What reading the sensors costs a model of a millisecond: blocks with and without, in turns."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path
from statistics import median

from trimtab_agent.doctor.finding import Finding
from trimtab_agent.power.meter import PowerMeter, PowerPlan
from trimtab_agent.records import BlockSchedule
from trimtab_agent.runtimes.null import work
from trimtab_agent.watch import Watch
from trimtab_agent.worker.block_worker import BlockWorker, WorkerEnded
from trimtab_agent.worker.messages import WorkerTask
from trimtab_agent.worker.process import Message

COST_LIMIT = 0.01
_PAIRS = 60
_BLOCK = BlockSchedule(count=1, duration_ns=60_000_000, discard_count=10)
_TIMEOUT_NS = 60_000_000_000
_MODEL_NS = 1_000_000
_TRIAL_ROUNDS = 10_000
_TRIALS = 20
_NORMAL_95 = 1.96


@dataclass(frozen=True)
class SamplerCost:
    """``ratio``: a run's median with the samplers over that without; its 95 % interval."""

    ratio: float
    low: float
    high: float
    model_ns: float
    sensors: int


async def sampler_cost(root: Path, scratch: Path) -> SamplerCost | str:
    """Takes some ten seconds; or why it could not be had."""
    meter = PowerMeter(root)
    plan = await meter.plan()
    latencies: list[int] = []

    async def keep(message: Message) -> None:
        if message["kind"] == "samples":
            latencies.extend(message["latency_ns"])

    worker = BlockWorker(_task(), scratch, _TIMEOUT_NS, keep)
    try:
        await worker.start()
        pairs = [
            await _pair(worker, index, latencies, lambda: _reading(root, worker, meter, plan))
            for index in range(_PAIRS)
        ]
        await worker.finish()
    except WorkerEnded as ended:
        return ended.failure.message
    finally:
        await worker.kill()
    return _cost(pairs, len(plan.sensors))


def sampler_finding(cost: SamplerCost | str) -> Finding:
    if isinstance(cost, str):
        return Finding("samplers", "warning", f"their cost could not be measured: {cost}")
    sensors = f"{cost.sensors} power sensors" if cost.sensors else "no power sensor to read"
    seen = (
        f"reading temperatures, clocks and {sensors} costs a model of {cost.model_ns / 1e6:.1f} ms "
        f"{cost.ratio - 1:+.2%} [{cost.low - 1:+.2%}, {cost.high - 1:+.2%}]"
    )
    if cost.low - 1 <= COST_LIMIT:
        return Finding("samplers", "ok", seen)
    advice = f"more than {COST_LIMIT:.0%}: figures of fast models are too high"
    return Finding("samplers", "warning", seen, advice)


def _task() -> WorkerTask:
    return WorkerTask(
        mode="blocks",
        runtime="null",
        model_path="null",
        runtime_options={"rounds": str(_rounds())},
        warmup_duration_ns=200_000_000,
        min_warmup_count=20,
    )


def _rounds() -> int:
    """As many as take about a millisecond here."""
    took = []
    for _ in range(_TRIALS):
        begin = time.perf_counter_ns()
        work(_TRIAL_ROUNDS)
        took.append(time.perf_counter_ns() - begin)
    return max(1, round(_TRIAL_ROUNDS * _MODEL_NS / max(min(took), 1)))


async def _pair(
    worker: BlockWorker,
    index: int,
    latencies: list[int],
    reading: Callable[[], contextlib.AbstractAsyncContextManager[None]],
) -> tuple[float, float]:
    """Medians with the samplers and without; who comes first changes from pair to pair."""
    medians: dict[bool, float] = {}
    for watched in (True, False) if index % 2 == 0 else (False, True):
        latencies.clear()
        async with AsyncExitStack() as stack:
            if watched:
                await stack.enter_async_context(reading())
            await worker.block(index, _BLOCK)
        medians[watched] = median(latencies)
    return medians[True], medians[False]


@asynccontextmanager
async def _reading(
    root: Path, worker: BlockWorker, meter: PowerMeter, plan: PowerPlan
) -> AsyncIterator[None]:
    """Everything that is read around a repeat, at the same rates."""
    origin = time.perf_counter_ns()
    watch = Watch(root, origin, (), 1)
    if worker.pid is not None:
        watch.worker_started(worker.pid)
    async with watch.watching(), meter.reading(plan, origin):
        watch.begin()
        yield
        watch.end()
        await asyncio.sleep(0)


def _cost(pairs: list[tuple[float, float]], sensors: int) -> SamplerCost:
    """By signed ranks (Hodges and Lehmann, 1963): a processor changes its speed while pairs are
    measured, and the mean would follow the few that it happened in."""
    logs = [math.log(with_them / without) for with_them, without in pairs]
    averages = sorted((a + b) / 2 for a, b in combinations_with_replacement(logs, 2))
    outside = _ranks_outside(len(logs))
    ends = averages[outside], averages[-1 - outside]
    ratio, low, high = (math.exp(each) for each in (median(averages), *ends))
    return SamplerCost(ratio, low, high, median(without for _, without in pairs), sensors)


def _ranks_outside(count: int) -> int:
    """How many of the pairwise averages lie beyond each end of a 95 % interval."""
    mean = count * (count + 1) / 4
    deviation = math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
    return max(math.floor(mean - _NORMAL_95 * deviation), 0)
