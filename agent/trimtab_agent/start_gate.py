"""The temperature gate before a repeat of an arm."""

from __future__ import annotations

from pathlib import Path

from trimtab_agent.arm_progress import ArmProgress
from trimtab_agent.bounded import ANSWER_S, NoAnswer, within
from trimtab_agent.cooling import wait_until_cool
from trimtab_agent.disturbance import Gate
from trimtab_agent.job_log import JobLog
from trimtab_agent.probes.thermal import Temperature, hottest_zone
from trimtab_agent.records import LogLine, StateChanged


async def pass_start_gate(log: JobLog, arm: ArmProgress, index: int, root: Path) -> Gate | None:
    """None where no start temperature was asked for; an arm waits in vain only once."""
    policy = log.view.spec.policy
    if not policy.max_start_temperature_c:
        return None
    in_vain = any(repeat.gate is not None and repeat.gate.met is False for repeat in arm.repeats)

    async def say(now: Temperature) -> None:
        await log.record(StateChanged("cooling"))
        text = f"waiting until below {policy.max_start_temperature_c:g} °C, now {now}"
        await log.record(LogLine("info", text), arm.arm.name, index)

    return await wait_until_cool(
        lambda: _hottest(root),
        policy.max_start_temperature_c,
        0 if in_vain else policy.cooldown_timeout_ns,
        say,
    )


async def _hottest(root: Path) -> Temperature | None:
    """None also where a driver does not answer."""
    try:
        return await within(ANSWER_S, hottest_zone, root)
    except NoAnswer:
        return None
