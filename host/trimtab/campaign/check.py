"""What the runtimes of several devices say of several files, before anything is measured."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trimtab_protos.errors import Failure, TrimtabError

from trimtab.campaign.plan import Candidate, Choices, plan_arms
from trimtab.campaign.unsupported import read_refusal
from trimtab.fleet.errors import DeviceUnreachable, device_failure
from trimtab.fleet.inventory import InventoryDevice
from trimtab.fleet.jobs import ArmOutcome, ArmRequest, DeviceInfo
from trimtab.fleet.progress import OnProgress
from trimtab.fleet.support import Answer, check_on
from trimtab.records import Support, SupportOutcome

OnSupport = Callable[[Sequence[Support]], None]
_NOT_THE_MODEL = ("device", "harness", "resources")
_INSTALL = "install what is named on the device, or ask for another --accelerator or --runtime"
_FALLBACK = "replace those operators, or measure it against a run on the cpu: copies cost too"


@dataclass(frozen=True)
class Enquiry:
    """``accelerators``: each file is asked for on every one of them."""

    devices: tuple[InventoryDevice, ...]
    candidates: tuple[Candidate, ...]
    choices: Choices
    accelerators: tuple[str, ...]
    state: Path


async def check_fleet(
    enquiry: Enquiry, on_progress: OnProgress, on_support: OnSupport
) -> list[Support]:
    """All devices in parallel; one that cannot be asked yields failed answers, the others go on.

    ``on_progress`` hears what is waited for and what is tried again.
    """

    async def one(device: InventoryDevice) -> list[Support]:
        found = await _check_device(enquiry, device, on_progress)
        on_support(found)
        return found

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(device)) for device in enquiry.devices]
    return [support for task in tasks for support in task.result()]


async def _check_device(
    enquiry: Enquiry, device: InventoryDevice, on_progress: OnProgress
) -> list[Support]:
    def arms(info: DeviceInfo) -> list[ArmRequest]:
        return _arms(enquiry, info)

    try:
        answers = await check_on(device, enquiry.state, arms, on_progress)
    except (DeviceUnreachable, TrimtabError) as error:
        failure = device_failure(error)
        answers = [Answer(arm, failure=failure) for arm in _arms(enquiry, None)]
    return [support_of(device.name, answer) for answer in answers]


def _arms(enquiry: Enquiry, info: DeviceInfo | None) -> list[ArmRequest]:
    arms: list[ArmRequest] = []
    for accelerator in enquiry.accelerators:
        base = replace(enquiry.choices.base, accelerator=accelerator)
        planned = plan_arms(enquiry.candidates, replace(enquiry.choices, base=base), info)
        arms += [replace(arm, name=f"{arm.name} on {accelerator}") for arm in planned]
    return arms


def support_of(device: str, answer: Answer) -> Support:
    settings, artifact = answer.request.settings, answer.request.artifact
    base = Support(
        file=artifact.name,
        format=artifact.format,
        device=device,
        runtime=settings.runtime,
        accelerator=settings.accelerator,
        outcome="failed",
        warnings=answer.warnings,
    )
    if answer.absent is not None:
        refused = answer.absent.failure_class == "model"
        return replace(
            base,
            outcome="refused" if refused else "absent",
            reason=answer.absent.message,
            advice="" if refused else _INSTALL,
        )
    if answer.outcome is None:
        return replace(base, reason=answer.failure.message if answer.failure else "")
    return _from_outcome(base, answer.outcome)


def _from_outcome(base: Support, said: ArmOutcome) -> Support:
    told = replace(
        base,
        runtime_version=said.runtime_version,
        accelerator_used=said.accelerator_used,
        operators=said.operators,
        operators_unavailable=said.unavailable.get("operators", ""),
    )
    if said.failure is not None:
        return _failed(told, said.failure)
    if elsewhere(told):
        return replace(told, outcome="partly", advice=_FALLBACK)
    return replace(told, outcome="supported")


def _failed(told: Support, failure: Failure) -> Support:
    """A model that loaded has its inputs described, and the runtime's version."""
    if failure.failure_class in _NOT_THE_MODEL:
        missing = failure.failure_class == "device" and not told.runtime_version
        outcome: SupportOutcome = "absent" if missing else "failed"
        return replace(
            told, outcome=outcome, reason=failure.message, advice=_INSTALL if missing else ""
        )
    refusal = read_refusal(failure.message)
    return replace(
        told,
        outcome="does not run" if told.runtime_version else "refused",
        reason=failure.message,
        unsupported=refusal.unsupported,
        advice=refusal.advice,
    )


def elsewhere(support: Support) -> dict[str, int]:
    """Operators that run elsewhere than on the accelerator asked for, by type."""
    found: Counter[str] = Counter()
    for place, types in support.operators.items():
        if place.partition(" ")[0] != support.accelerator:
            found.update(types)
    return dict(found.most_common())
