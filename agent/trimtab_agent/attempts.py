"""One repeat as it counts: cooled first, watched, and measured again where something spoiled it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.arm_passes import ArmPasses
from trimtab_agent.arm_progress import ArmProgress, RepeatProgress
from trimtab_agent.disturbance import spoiled_by
from trimtab_agent.job_log import JobLog
from trimtab_agent.journal_bound import JournalFull
from trimtab_agent.power.meter import PowerMeter, PowerPlan
from trimtab_agent.quiet import Quiet
from trimtab_agent.records import LogLine
from trimtab_agent.start_gate import pass_start_gate
from trimtab_agent.watch import Watch, reading_period_s


@dataclass
class Attempts:
    """``root`` is where the kernel's files are read, "/" on a device; ``meter`` reads ``power``."""

    log: JobLog
    passes: ArmPasses
    quiet: Quiet
    root: Path
    meter: PowerMeter
    power: PowerPlan

    async def repeat(self, arm: ArmProgress, index: int) -> None:
        """Measure one repeat; its samples are published once it is known which attempt counts.

        The last attempt counts, whatever it was worth: its checks say so. Where the job may write
        no more, the arm fails.
        """
        try:
            self.log.check_bound()  # else it would be measured for nothing
            await self._measure(arm, index)
            await self.passes.publish_samples(arm, index)
            await self.passes.publish_readings(arm, index)
        except JournalFull as full:
            arm.failure = full.failure
            return
        await self._tell_of_sensors(arm, index)

    async def _measure(self, arm: ArmProgress, index: int) -> None:
        while True:
            gate = await pass_start_gate(self.log, arm, index, self.root)
            watch = Watch(
                self.root,
                self.passes.clock_origin_ns,
                arm.arm.cpu_affinity,
                arm.arm.thread_count,
                reading_period_s(self.log.view.spec.sustain_ns),
            )
            repeat = RepeatProgress(index, gate=gate)
            arm.repeats.append(repeat)
            reading = self.meter.reading(
                self.power, self.passes.clock_origin_ns, self.log.view.spec.sustain_ns
            )
            with self.quiet:
                async with watch.watching(), reading as repeat.power:
                    await self.passes.repeat(arm, index, watch, self.power)
            repeat.load, repeat.readings = watch.load, tuple(watch.readings)
            repeat.paging = watch.paging
            if not await measure_again(self.log, (arm,), index):
                return

    async def _tell_of_sensors(self, arm: ArmProgress, index: int) -> None:
        for name, reason in arm.repeats[-1].power.failures.items():
            line = LogLine("warning", f"the sensor {name} gives no energy: {reason}")
            await self.log.record(line, arm.arm.name, index, "measure")


async def measure_again(log: JobLog, arms: Sequence[ArmProgress], index: int) -> bool:
    """Whether something spoiled the last repeat of these arms, and there are retries left.

    The repeat is then taken from each of them.
    """
    problems = [spoiled_by(arm.repeats[-1].seen, arm.arm.thread_count) for arm in arms]
    problem = next((each for each in problems if each is not None), None)
    spec = log.view.spec
    # What spoils a short repeat (heat, throttling) is what a sustained load is to show.
    allowed = 0 if spec.sustain_ns is not None else spec.policy.max_retries
    if problem is None or any(arm.failure or len(arm.retries) >= allowed for arm in arms):
        return False
    for arm in arms:
        arm.repeats.pop()
        arm.retries.append(f"repeat {index + 1}: {problem}")
        text = f"repeat {index + 1} is measured again: {problem}"
        await log.record(LogLine("warning", text), arm.arm.name, index, "measure")
    return True
