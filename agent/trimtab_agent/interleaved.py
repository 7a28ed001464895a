"""Runs an interleaved job: two arms loaded at once, short blocks in turns (A B B A ...)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from trimtab_agent.arm_memory import MEMORY_METRICS
from trimtab_agent.arm_passes import ArmPasses
from trimtab_agent.arm_progress import ArmProgress
from trimtab_agent.arm_result import Surroundings, arm_result
from trimtab_agent.attempts import measure_again
from trimtab_agent.job_log import JobLog
from trimtab_agent.journal_bound import JournalFull
from trimtab_agent.paging import meminfo
from trimtab_agent.quiet import Quiet
from trimtab_agent.records import ArmFinished, BlockSchedule, LogLine
from trimtab_agent.start_gate import pass_start_gate
from trimtab_agent.turns import Turn, alternate, fail_together, interleave, shortage
from trimtab_agent.watch import Watch
from trimtab_agent.worker.block_worker import WorkerEnded

_NO_MEMORY = "an interleaved comparison has no memory pass"
_IN_TURNS = "blocks in turns, both loaded"


@dataclass
class InterleavedRounds:
    """``blocks``: the job's schedule. ``root`` is where the kernel's files are read.

    ``shortage``: why processes alternate instead of blocks; None until it has been looked at.
    """

    log: JobLog
    passes: ArmPasses
    surroundings: Surroundings
    quiet: Quiet
    blocks: BlockSchedule
    root: Path
    shortage: str | None = None

    async def run(self, arms: Sequence[ArmProgress]) -> None:
        """Every repeat, each in two fresh processes; an arm that fails ends the whole."""
        for index in range(self.log.view.spec.repeat_count):
            # Who begins changes too: the first to load finds another machine than the second.
            await self._repeat(arms if index % 2 == 0 else arms[::-1], index)
            if any(arm.failure is not None for arm in arms):
                break
        for arm in arms:
            await self._report(arm)

    async def _repeat(self, order: Sequence[ArmProgress], index: int) -> None:
        while True:
            turns = await self._attempt(order, index)
            if not await measure_again(self.log, order, index):
                break
        for turn in turns:
            try:
                await self._publish(turn, index)
            except JournalFull as full:
                turn.arm.failure = full.failure
                fail_together(turns)
                return

    async def _publish(self, turn: Turn, index: int) -> None:
        for batch in turn.batches:
            await self.log.record(batch, turn.arm.arm.name, index, "measure")
        await self.passes.publish_readings(turn.arm, index)

    async def _attempt(self, order: Sequence[ArmProgress], index: int) -> list[Turn]:
        gate = await pass_start_gate(self.log, order[0], index, self.root)
        watch = self._watch(order)
        turns = [Turn(arm, self.passes, index) for arm in order]
        async with AsyncExitStack() as stack:
            stack.enter_context(self.quiet)
            for arm in order:
                await stack.enter_async_context(self.surroundings.around(arm))
            async with watch.watching():
                await self._take_turns(turns, watch)
        for arm in order:
            repeat = arm.repeats[-1]
            repeat.gate, repeat.load, repeat.readings = gate, watch.load, tuple(watch.readings)
            repeat.paging = watch.paging
        return turns

    async def _take_turns(self, turns: list[Turn], watch: Watch) -> None:
        longest_ns = self.log.view.spec.policy.max_duration_ns
        try:
            await turns[0].start(watch)
            if await self._fit(*turns):
                await turns[1].start(watch)
                await interleave(turns, watch, self.blocks, longest_ns)
            else:
                await alternate(turns, watch, self.blocks, longest_ns)
        except WorkerEnded:
            fail_together(turns)
        finally:
            for turn in turns:
                await turn.worker.kill()

    async def _fit(self, loaded: Turn, other: Turn) -> bool:
        """Looked at in the first repeat alone: all repeats are measured in one way."""
        if self.shortage is None:
            self.shortage = shortage(loaded, other, meminfo(self.root).get("MemAvailable"))
            if self.shortage:
                await self.log.record(LogLine("warning", f"{self.shortage}: processes alternate"))
        return not self.shortage

    def _watch(self, arms: Sequence[ArmProgress]) -> Watch:
        pinned = [arm.arm.cpu_affinity for arm in arms]
        cpus = sorted({cpu for each in pinned for cpu in each}) if all(pinned) else ()
        threads = max(arm.arm.thread_count for arm in arms)
        return Watch(self.root, self.passes.clock_origin_ns, tuple(cpus), threads)

    async def _report(self, arm: ArmProgress) -> None:
        policy = self.log.view.spec.policy
        result = await asyncio.to_thread(arm_result, arm, policy, self.surroundings)
        unavailable = {**result.unavailable, **dict.fromkeys(MEMORY_METRICS, _NO_MEMORY)}
        schedule = f"one process after the other: {self.shortage}" if self.shortage else _IN_TURNS
        conditions = {**result.conditions, "schedule": schedule}
        result = replace(result, unavailable=unavailable, conditions=conditions)
        await self.log.record(ArmFinished(result), arm.arm.name)
