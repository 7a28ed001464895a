"""A support check's arms: each is loaded and run once, in turn, and nothing is measured."""

from __future__ import annotations

from collections.abc import Iterable

from trimtab_agent.arm_passes import ArmPasses
from trimtab_agent.arm_progress import ArmProgress
from trimtab_agent.job_log import JobLog
from trimtab_agent.records import ArmFinished, ArmResult


async def check_arms(log: JobLog, passes: ArmPasses, arms: Iterable[ArmProgress]) -> None:
    for arm in arms:
        await passes.check(arm)
        await log.record(ArmFinished(support_result(arm)), arm.arm.name)


def support_result(arm: ArmProgress) -> ArmResult:
    """A model that loads and then fails in its run keeps what its runtime said on loading."""
    why = arm.operators_unavailable
    return ArmResult(
        arm=arm.arm.name,
        accelerator_used=arm.accelerator_used,
        runtime_version=arm.runtime_version,
        runtime_package=arm.runtime_package,
        unavailable={"operators": why} if why else {},
        inputs=arm.inputs,
        outputs=arm.outputs,
        failure=arm.failure,
        operators=arm.operator_places or {},
    )
