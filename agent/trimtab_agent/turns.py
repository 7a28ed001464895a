"""Two workers taking turns within one repeat, and whether both can be loaded at once."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence

import psutil
from trimtab_protos.failure import Failure

from trimtab_agent.arm_passes import ArmPasses
from trimtab_agent.arm_progress import ArmProgress, Message
from trimtab_agent.records import BlockSchedule, SampleBatch
from trimtab_agent.watch import Watch
from trimtab_agent.worker.block_worker import WorkerEnded

_WEIGHTS_COPIES = 2  # a runtime may keep a packed copy beside the file's own


class Turn:
    """One arm in one repeat. Its samples become events afterwards: a journal disturbs."""

    def __init__(self, arm: ArmProgress, passes: ArmPasses, index: int) -> None:
        self.arm = arm
        self.batches: list[SampleBatch] = []
        self.worker = passes.block_worker(arm, index, self._keep)

    async def do(self, step: Awaitable[None]) -> None:
        """Raises WorkerEnded, after noting that it is this arm that failed."""
        try:
            await step
        except WorkerEnded as ended:
            self.arm.failure = ended.failure
            raise

    async def start(self, watch: Watch) -> None:
        await self.do(self.worker.start())
        if self.worker.pid is not None:
            watch.worker_started(self.worker.pid)

    def _keep(self, message: Message) -> None:
        starts, latencies = tuple(message["start_offset_ns"]), tuple(message["latency_ns"])
        self.batches.append(SampleBatch(starts, latencies, int(message["block_index"])))


async def interleave(
    turns: Sequence[Turn], watch: Watch, blocks: BlockSchedule, longest_ns: int
) -> None:
    """Blocks in turns (A B B A ...) of workers that are all started. Raises WorkerEnded.

    Whole rounds only; at least one.
    """
    watch.begin()
    began = time.monotonic_ns()
    for index in range(blocks.count):
        for turn in turns if index % 2 == 0 else turns[::-1]:
            await turn.do(turn.worker.block(index, blocks))
        if time.monotonic_ns() - began > len(turns) * longest_ns:
            break
    watch.end()
    for turn in turns:
        await turn.do(turn.worker.finish())
        watch.worker_ended(turn.worker.pid)


async def alternate(
    turns: Sequence[Turn], watch: Watch, blocks: BlockSchedule, longest_ns: int
) -> None:
    """One process after the other, all its blocks at once; the first is started already."""
    for place, turn in enumerate(turns):
        if place:
            await turn.start(watch)
        await interleave([turn], watch, blocks, longest_ns)


def shortage(loaded: Turn, other: Turn, available_bytes: int | None) -> str:
    """Why the other model cannot be loaded beside this one; empty where it can, or is not known.

    What it will take is estimated from what the loaded one takes and from the files' sizes.
    """
    try:
        taken = int(psutil.Process(loaded.worker.pid).memory_info().rss)
    except psutil.Error:
        return ""
    growth = max(_file_bytes(other.arm) - _file_bytes(loaded.arm), 0)
    needed = taken + _WEIGHTS_COPIES * growth
    if available_bytes is None or needed <= available_bytes:
        return ""
    return (
        f"both do not fit in memory: {other.arm.arm.name} is estimated to need "
        f"{needed / 1e6:.0f} MB, {available_bytes / 1e6:.0f} MB are available"
    )


def fail_together(turns: Sequence[Turn]) -> None:
    """An arm by itself cannot be compared: the other fails with the one that failed."""
    failed = next(turn.arm for turn in turns if turn.arm.failure is not None)
    assert failed.failure is not None  # noqa: S101 - chosen so
    message = f"not compared, because {failed.arm.name} failed: {failed.failure.message}"
    for turn in turns:
        if turn.arm.failure is None:
            turn.arm.failure = Failure(failed.failure.failure_class, message)


def _file_bytes(arm: ArmProgress) -> int:
    return sum(file.digest.size_bytes for file in arm.arm.files)
