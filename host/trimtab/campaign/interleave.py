"""Two arms compared block by block on every device asked for; only their ratio is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from trimtab_protos.errors import Failure, TrimtabError

from trimtab.campaign.plan import Candidate, Choices, plan_arms
from trimtab.fleet.dispatch import Measured, Rules, Workload, deadline_in, measure_on
from trimtab.fleet.errors import DeviceUnreachable, device_failure
from trimtab.fleet.inventory import InventoryDevice
from trimtab.fleet.jobs import ArmRequest, BlockSchedule, DeviceInfo
from trimtab.fleet.ledger import RunLedger
from trimtab.fleet.progress import OnProgress, Progress
from trimtab.measure.compare import Comparison, compare
from trimtab.records import DeviceRef, EvaluationSet, UserError


@dataclass(frozen=True)
class Duel:
    """Which two arms to compare where. ``state`` is the folder of the local agent.

    ``deadline_s``: of all devices together, None: none. The two share a job, whatever the rules say
    of arms in one.
    """

    devices: tuple[InventoryDevice, ...]
    candidates: tuple[Candidate, ...]
    choices: Choices
    schedule: BlockSchedule
    scratch: Path
    state: Path
    inputs: EvaluationSet | None = None
    rules: Rules = field(default_factory=Rules)
    deadline_s: float | None = None


@dataclass(frozen=True)
class Compared:
    """``outcome``: the comparison, or why there is none. ``arms`` are the two, A first."""

    device: DeviceRef
    arms: tuple[Measured, ...]
    outcome: Comparison | Failure


async def compare_on_devices(duel: Duel, on_progress: OnProgress) -> list[Compared]:
    """All devices in parallel. Raises UserError where the choices are not two arms on a device."""
    deadline_at = deadline_in(duel.deadline_s)
    work = [_on_device(duel, each, deadline_at, on_progress) for each in duel.devices]
    return await asyncio.gather(*work)


async def _on_device(
    duel: Duel, device: InventoryDevice, deadline_at: float | None, on_progress: OnProgress
) -> Compared:
    def arms(info: DeviceInfo) -> list[ArmRequest]:
        return _exactly_two(plan_arms(duel.candidates, duel.choices, info), device.name)

    ledger = RunLedger(duel.scratch / device.name, durable=False)
    workload = Workload(
        arms,
        None,
        "none",
        duel.inputs,
        ledger,
        interleaved=duel.schedule,
        rules=replace(duel.rules, arms_per_job=None),
        deadline_at=deadline_at,
    )
    try:
        measured = await measure_on(device, duel.state, workload, on_progress)
    except (DeviceUnreachable, TrimtabError) as error:
        failure = device_failure(error)
    else:
        return Compared(measured[0].device, tuple(measured), _outcome(measured))
    finally:
        ledger.close()
    on_progress(Progress(device.name, failure.message, severity="error"))
    return Compared(DeviceRef(device.name, ""), (), failure)


def _exactly_two(arms: list[ArmRequest], device: str) -> list[ArmRequest]:
    if len(arms) != 2:
        names = ", ".join(arm.name for arm in arms)
        raise UserError(
            f"--compare takes two, on {device} there are {len(arms)}: {names}",
            "name two files (the same one twice is allowed), or one with two runtimes or threads",
        )
    return arms


def _outcome(measured: Sequence[Measured]) -> Comparison | Failure:
    failure = next((each.raw.failure for each in measured if each.raw.failure is not None), None)
    if failure is not None:
        return failure
    first, second = measured
    found = compare(first.blocks, second.blocks)
    return found if isinstance(found, Comparison) else Failure("harness", found)
