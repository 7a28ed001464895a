"""Runs an interleaved job: two arms loaded at once, short blocks in turns (A B B A ...)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from trimtab_protos.failure import Failure

from trimtab_agent.arm_memory import MEMORY_METRICS
from trimtab_agent.arm_passes import ArmPasses
from trimtab_agent.arm_progress import ArmProgress, Message
from trimtab_agent.arm_result import Surroundings, arm_result
from trimtab_agent.job_log import JobLog
from trimtab_agent.quiet import Quiet
from trimtab_agent.records import ArmFinished, BlockSchedule, SampleBatch
from trimtab_agent.worker.block_worker import WorkerEnded

_NO_MEMORY = "an interleaved comparison has no memory pass"


@dataclass
class InterleavedRounds:
    """``blocks``: the job's schedule."""

    log: JobLog
    passes: ArmPasses
    surroundings: Surroundings
    quiet: Quiet
    blocks: BlockSchedule

    async def run(self, arms: Sequence[ArmProgress]) -> None:
        """Every repeat, each in two fresh processes; an arm that fails ends the whole."""
        for index in range(self.log.view.spec.repeat_count):
            # Who begins changes too: the first to load finds another machine than the second.
            order = arms if index % 2 == 0 else arms[::-1]
            with self.quiet, ExitStack() as stack:
                for arm in arms:
                    stack.enter_context(self.surroundings.around(arm))
                await self._repeat([_Turn(arm, self.passes, index) for arm in order], index)
            if any(arm.failure is not None for arm in arms):
                break
        for arm in arms:
            await self._report(arm)

    async def _repeat(self, turns: list[_Turn], index: int) -> None:
        try:
            for turn in turns:
                await turn.do(turn.worker.start())
            await self._take_turns(turns, self.log.view.spec.policy.max_duration_ns)
            for turn in turns:
                await turn.do(turn.worker.finish())
        except WorkerEnded:
            _fail_the_others(turns)
        finally:
            for turn in turns:
                await turn.worker.kill()
        for turn in turns:
            for batch in turn.batches:
                await self.log.record(batch, turn.arm.arm.name, index, "measure")

    async def _take_turns(self, turns: list[_Turn], longest_ns: int) -> None:
        """Whole pairs only; at least one."""
        began = time.monotonic_ns()
        for index in range(self.blocks.count):
            for turn in turns if index % 2 == 0 else turns[::-1]:
                await turn.do(turn.worker.block(index, self.blocks))
            if time.monotonic_ns() - began > len(turns) * longest_ns:
                return

    async def _report(self, arm: ArmProgress) -> None:
        policy = self.log.view.spec.policy
        result = await asyncio.to_thread(arm_result, arm, policy, self.surroundings)
        unavailable = {**result.unavailable, **dict.fromkeys(MEMORY_METRICS, _NO_MEMORY)}
        await self.log.record(ArmFinished(replace(result, unavailable=unavailable)), arm.arm.name)


class _Turn:
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

    def _keep(self, message: Message) -> None:
        starts, latencies = tuple(message["start_offset_ns"]), tuple(message["latency_ns"])
        self.batches.append(SampleBatch(starts, latencies, int(message["block_index"])))


def _fail_the_others(turns: Sequence[_Turn]) -> None:
    failed = next(turn.arm for turn in turns if turn.arm.failure is not None)
    assert failed.failure is not None  # noqa: S101 - chosen so
    message = f"not compared, because {failed.arm.name} failed: {failed.failure.message}"
    for turn in turns:
        if turn.arm.failure is None:
            turn.arm.failure = Failure(failed.failure.failure_class, message)
