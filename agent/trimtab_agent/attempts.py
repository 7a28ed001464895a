"""One repeat as it counts: cooled first, watched, and measured again where something spoiled it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.arm_passes import ArmPasses
from trimtab_agent.arm_progress import ArmProgress, RepeatProgress
from trimtab_agent.cooling import wait_until_cool
from trimtab_agent.disturbance import Gate, spoiled_by
from trimtab_agent.job_log import JobLog
from trimtab_agent.probes.thermal import Temperature, hottest_zone
from trimtab_agent.quiet import Quiet
from trimtab_agent.records import LogLine, StateChanged
from trimtab_agent.watch import Watch, reading_period_s


@dataclass
class Attempts:
    """``root`` is where the kernel's files are read, "/" on a device."""

    log: JobLog
    passes: ArmPasses
    quiet: Quiet
    root: Path

    async def repeat(self, arm: ArmProgress, index: int) -> None:
        """Measure one repeat; its samples are published once it is known which attempt counts.

        The last attempt counts, whatever it was worth: its checks say so.
        """
        while True:
            gate = await self._cool(arm, index)
            watch = Watch(
                self.root,
                self.passes.clock_origin_ns,
                arm.arm.cpu_affinity,
                arm.arm.thread_count,
                reading_period_s(self.log.view.spec.sustain_ns),
            )
            arm.repeats.append(RepeatProgress(index, gate=gate))
            with self.quiet:
                async with watch.watching():
                    await self.passes.repeat(arm, index, watch)
            repeat = arm.repeats[-1]
            repeat.load, repeat.readings = watch.load, tuple(watch.readings)
            problem = spoiled_by(repeat.seen, arm.arm.thread_count)
            if problem is None or not await self._may_retry(arm, index, problem):
                break
        await self.passes.publish_samples(arm, index)
        await self.passes.publish_readings(arm, index)

    async def _may_retry(self, arm: ArmProgress, index: int, problem: str) -> bool:
        spec = self.log.view.spec
        # What spoils a short repeat (heat, throttling) is what a sustained load is to show.
        allowed = 0 if spec.sustain_ns is not None else spec.policy.max_retries
        if arm.failure is not None or len(arm.retries) >= allowed:
            return False
        arm.repeats.pop()
        arm.retries.append(f"repeat {index + 1}: {problem}")
        text = f"repeat {index + 1} is measured again: {problem}"
        await self.log.record(LogLine("warning", text), arm.arm.name, index, "measure")
        return True

    async def _cool(self, arm: ArmProgress, index: int) -> Gate | None:
        policy = self.log.view.spec.policy
        if not policy.max_start_temperature_c:
            return None
        timed_out = any(
            repeat.gate is not None and repeat.gate.met is False for repeat in arm.repeats
        )

        async def say(now: Temperature) -> None:
            await self.log.record(StateChanged("cooling"))
            text = f"waiting until below {policy.max_start_temperature_c:g} °C, now {now}"
            await self.log.record(LogLine("info", text), arm.arm.name, index)

        return await wait_until_cool(
            lambda: hottest_zone(self.root),
            policy.max_start_temperature_c,
            0 if timed_out else policy.cooldown_timeout_ns,  # once in vain is enough
            say,
        )
