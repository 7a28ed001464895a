"""Measures candidates on several devices at once and turns what came back into results."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from trimtab_protos.errors import TrimtabError
from trimtab_protos.heaps import keep_one_heap

from trimtab.campaign.plan import Candidate, Choices, plan_arms
from trimtab.fleet.collect import failed_arm
from trimtab.fleet.dispatch import Measured, Rules, Workload, deadline_in, measure_on
from trimtab.fleet.errors import DeviceUnreachable, device_failure
from trimtab.fleet.inventory import InventoryDevice
from trimtab.fleet.jobs import Reduction
from trimtab.fleet.ledger import RunLedger
from trimtab.fleet.open_files import allow_open_files
from trimtab.fleet.progress import OnProgress, Progress, shows_telemetry
from trimtab.fleet.telemetry import live_period_s
from trimtab.measure.accuracy import MetricFunction
from trimtab.measure.agreement import Reference
from trimtab.measure.derive import with_derived
from trimtab.measure.model_figures import with_model_figures
from trimtab.measure.robustness import with_robustness
from trimtab.measure.segments import segmented
from trimtab.measure.summarize import Scoring, build_result
from trimtab.records import DeviceRef, EvaluationSet, Result

OnResults = Callable[[Sequence[Result]], None]


@dataclass(frozen=True)
class Campaign:
    """What to measure where. ``state`` is the folder of the local agent.

    ``ledger`` None: one in the scratch folder, which nobody goes on with. ``deadline_s``: of all of
    it together, None: none.
    """

    devices: tuple[InventoryDevice, ...]
    candidates: tuple[Candidate, ...]
    choices: Choices
    scratch: Path
    state: Path
    evaluation: EvaluationSet | None = None
    inputs: EvaluationSet | None = None
    reduction: Reduction = "none"
    metric: MetricFunction | None = None
    profile: bool = False
    reference: Reference | None = None
    ledger: RunLedger | None = None
    rules: Rules = field(default_factory=Rules)
    deadline_s: float | None = None


async def measure_fleet(
    campaign: Campaign, on_progress: OnProgress, on_results: OnResults
) -> list[Result]:
    """All devices in parallel; ``on_results`` hears of each device's as soon as it is done.

    A device that fails yields failed results; the others go on. Cancelling cancels every job.
    """
    allow_open_files(len(campaign.devices))
    keep_one_heap()  # for the threads of gRPC, which begin with the first connection
    shown = shows_telemetry(on_progress)
    telemetry_s = live_period_s(len(campaign.devices)) if shown else None
    kept = campaign.ledger
    ledger = kept or RunLedger(campaign.scratch / "ledger", durable=False)

    workload = replace(
        _workload(campaign, ledger),
        deadline_at=deadline_in(campaign.deadline_s),
        telemetry_s=telemetry_s,
    )

    async def one(device: InventoryDevice) -> list[Result]:
        try:
            measured = await _measure_device(campaign, workload, device, on_progress)
            results = await asyncio.to_thread(_results, campaign, measured)
            on_results(results)
            return results
        except Exception as error:  # this host's own trouble: the others' jobs go on
            on_progress(Progress(device.name, f"given up: {error}", severity="error"))
            raise

    try:
        work = [one(device) for device in campaign.devices]
        outcomes = await asyncio.gather(*work, return_exceptions=True)
    finally:
        if kept is None:
            ledger.close()
    return [result for outcome in outcomes for result in _or_raise(outcome)]


def _or_raise(outcome: list[Result] | BaseException) -> list[Result]:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _workload(campaign: Campaign, ledger: RunLedger) -> Workload:
    return Workload(
        arms=lambda info: plan_arms(campaign.candidates, campaign.choices, info),
        evaluation=campaign.evaluation,
        reduction=campaign.reduction,
        inputs=campaign.inputs,
        ledger=ledger,
        profile=campaign.profile,
        rules=campaign.rules,
    )


async def _measure_device(
    campaign: Campaign, workload: Workload, device: InventoryDevice, on_progress: OnProgress
) -> list[Measured]:
    try:
        return await measure_on(device, campaign.state, workload, on_progress)
    except (DeviceUnreachable, TrimtabError) as error:
        failure = device_failure(error)
    on_progress(Progress(device.name, failure.message, severity="error"))
    reference = DeviceRef(device.name, "", "")
    return [
        Measured(arm, reference, failed_arm(arm, failure), "")
        for arm in plan_arms(campaign.candidates, campaign.choices, None)
    ]


def _results(campaign: Campaign, measured: Sequence[Measured]) -> list[Result]:
    evaluation = campaign.evaluation
    is_scored = evaluation is not None and evaluation.has_targets
    scoring = Scoring(evaluation, campaign.metric) if evaluation and is_scored else None
    power = {each.name: each.power for each in campaign.devices}
    parts = [segmented(each.raw, evaluation) for each in measured]
    built = [
        build_result(
            part.raw,
            each.request.artifact,
            each.request.settings,
            each.device,
            scoring,
            variant=each.request.variant,
            job_id=each.job_id,
            power=power[each.device.name],
        )
        for each, part in zip(measured, parts, strict=True)
    ]
    facts = {(each.variant, each.artifact.sha256): each.facts for each in campaign.candidates}
    results = [
        with_model_figures(each, facts.get((each.variant, each.artifact.sha256))) for each in built
    ]
    derived = with_derived(results, scoring, reference=campaign.reference)
    return list(with_robustness(derived, scoring, [part.corrupted for part in parts]))
