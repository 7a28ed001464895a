"""From what workers said and what was true around them to an arm's result with its checks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from trimtab_agent.arm_conditions import measuring_conditions
from trimtab_agent.arm_memory import memory_of, memory_unavailable
from trimtab_agent.arm_progress import ArmProgress
from trimtab_agent.device import look_around
from trimtab_agent.disturbance import (
    foreign_load_check,
    not_throttled_check,
    steady_check,
    temperature_check,
)
from trimtab_agent.memory_checks import no_swapping_check
from trimtab_agent.placement import placement_check
from trimtab_agent.power.meter import PowerPlan
from trimtab_agent.power.outcome import (
    energy_unavailable,
    foreign_power_check,
    sampling_condition,
    sensors_seen,
)
from trimtab_agent.preflight import Preflight
from trimtab_agent.records import ArmResult, Check, Policy
from trimtab_agent.scenario import rate_checks
from trimtab_agent.setting_checks import SETTINGS, setting_checks
from trimtab_agent.validity import Repeat, accelerator_used, latency_checks

_LOOKED_AT_AGAIN = (*SETTINGS, "frequency_mhz", "temperature_c", "load_average_1m", "throttling")


@dataclass
class Surroundings:
    """``looks``: the conditions per arm, before its first repeat and after each."""

    preflight: Preflight
    root: Path
    power: PowerPlan = field(default_factory=PowerPlan)
    looks: dict[str, list[Mapping[str, str]]] = field(default_factory=dict)

    @asynccontextmanager
    async def around(self, arm: ArmProgress) -> AsyncIterator[None]:
        """Look before the arm's first repeat and after each one."""
        looks = self.looks.setdefault(arm.arm.name, [])
        if not looks:
            looks.append(await look_around(self.root))
        yield
        looks.append(await look_around(self.root))

    def summary(self, name: str) -> dict[str, str]:
        """Before the first repeat; what may have moved also after the last."""
        before, after = self.looks[name][0], self.looks[name][-1]
        moved = {f"{key}_after": after[key] for key in _LOOKED_AT_AGAIN if key in after}
        sampling = sampling_condition(self.power)
        return {**before, **moved, **sampling, **self.preflight.conditions()}


def arm_result(arm: ArmProgress, policy: Policy, surroundings: Surroundings) -> ArmResult:
    """A failed arm has no checks: there is nothing that they could vouch for."""
    repeats = arm.repeats
    return ArmResult(
        arm=arm.arm.name,
        checks=() if arm.failure is not None else _checks(arm, policy, surroundings),
        sample_count=arm.sample_count,
        load_duration_ns=_known(repeat.load_ns for repeat in repeats),
        first_inference_duration_ns=_known(repeat.first_inference_ns for repeat in repeats),
        io_duration_ns=_known(repeat.io_ns for repeat in repeats),
        memory=memory_of(arm),
        conditions={**surroundings.summary(arm.arm.name), **measuring_conditions(arm)},
        accelerator_used=arm.accelerator_used,
        runtime_version=arm.runtime_version,
        runtime_package=arm.runtime_package,
        unavailable=unavailable_metrics(arm, surroundings),
        inputs=arm.inputs,
        outputs=arm.outputs,
        operator_profile=arm.operator_profile,
        evaluation_outputs=arm.evaluation_outputs,
        evaluation_failure=arm.evaluation_failure,
        failure=arm.failure,
        sensors=sensors_seen(surroundings.power, [repeat.power for repeat in repeats]),
    )


def unavailable_metrics(arm: ArmProgress, surroundings: Surroundings) -> dict[str, str]:
    """Metric -> why this device cannot give it."""
    reasons = energy_unavailable(surroundings.power)
    reasons |= memory_unavailable(arm)
    if arm.profile_failure is not None:
        reasons["operator_profile"] = arm.profile_failure.message
    return reasons


def _checks(arm: ArmProgress, policy: Policy, surroundings: Surroundings) -> tuple[Check, ...]:
    name = arm.arm.name
    repeats = [
        Repeat(
            start_offset_ns=repeat.start_offset_ns,
            latency_ns=repeat.latency_ns,
            measured_count=repeat.announced_sample_count,
            outputs_finite=repeat.outputs_finite,
        )
        for repeat in arm.repeats
    ]
    accelerator = accelerator_used(arm.arm.accelerator, arm.accelerator_used)
    return (
        *latency_checks(repeats, policy),
        *rate_checks([each.periods for each in arm.repeats if each.periods is not None]),
        _placed(accelerator, arm),
        *setting_checks(surroundings.looks[name]),
        *surroundings.preflight.checks(arm.arm),
        *_disturbance_checks(arm, policy, surroundings.preflight.foreign_load),
        *foreign_power_check(surroundings.power, [repeat.load for repeat in arm.repeats]),
    )


def _disturbance_checks(
    arm: ArmProgress, policy: Policy, load_before: float | None
) -> tuple[Check, ...]:
    seen = [repeat.seen for repeat in arm.repeats]
    temperature = temperature_check(seen)
    return (
        foreign_load_check(load_before, seen, arm.arm.thread_count),
        not_throttled_check(seen),
        no_swapping_check(seen),
        steady_check(seen, policy.steady_tolerance),
        *(() if temperature is None else (temperature,)),
    )


def _placed(check: Check, arm: ArmProgress) -> Check:
    """A profile says more of the accelerator than the runtime's own word."""
    if check.outcome == "failed" or not arm.operator_places:
        return check
    return placement_check(arm.arm.accelerator, arm.operator_places)


def _known(values: Iterator[int | None]) -> tuple[int, ...]:
    return tuple(value for value in values if value is not None)
