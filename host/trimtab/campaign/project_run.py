"""A project from its file to its decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trimtab.campaign.choice import choose
from trimtab.campaign.dispatching import rules_of
from trimtab.campaign.fleet import Campaign
from trimtab.campaign.plan import Candidate, Choices
from trimtab.campaign.selected_devices import (
    devices_again,
    local_agent_state,
    select_devices,
    select_one,
)
from trimtab.campaign.session import measure_into
from trimtab.campaign.target_device import devices_of
from trimtab.campaign.unfinished import check_same, plan_of, run_ledger
from trimtab.campaign.up_to_date import Build, check_build, keep_build, now_ns
from trimtab.campaign.watching import watched
from trimtab.compress.device import TargetDevice
from trimtab.export.variants import build_variants
from trimtab.fleet.progress import OnProgress
from trimtab.project import Project, changed, load_project
from trimtab.records import Run, Variant
from trimtab.store import RunStore, new_run_id
from trimtab.task import (
    CorruptionPlan,
    FileTask,
    Task,
    check_corruptions,
    evaluation_set,
    load_file_task,
    load_task,
    open_inputs,
)

BUILD_FOLDER = "trimtab-build"


@dataclass(frozen=True)
class Built:
    """A project's variants, made; ``name`` is for the run that measures them."""

    name: str
    project: Project
    task: Task | FileTask
    variants: tuple[Variant, ...]


def build_project(
    path: Path,
    say: Callable[[str], None],
    name: str | None = None,
    changes: Mapping[str, Any] = MappingProxyType({}),
    dispatch: Mapping[str, Any] = MappingProxyType({}),
    devices: Sequence[str] = (),
    *,
    resumed: bool = False,
) -> Built:
    """``name``: the folder's by default. ``changes`` replace settings of [measure], ``dispatch``
    those of [dispatch], ``devices`` the selectors of [devices]. ``resumed``: for a run that goes
    on with the devices it was begun on.

    Raises UserError for anything wrong in the project or its task file.
    """
    project = load_project(path, devices)
    project = replace(
        project,
        measure=changed(project.measure, changes),
        dispatch=project.dispatch.model_copy(update=dict(dispatch)),
    )
    if not resumed:
        select_devices(project.devices)  # one that is not there is known before the minutes pass
    task, variants = _build(project, say)
    return Built(name or project.folder.resolve().name, project, task, variants)


def compress_project(
    path: Path, say: Callable[[str], None], *, force: bool = False, devices: Sequence[str] = ()
) -> tuple[Variant, ...]:
    """The variants alone: those of the last build where nothing that went into it changed.

    ``devices``: selectors of the one device that passes measure on, in place of the project's.
    Raises UserError for anything wrong in the project or its task.
    """
    project = load_project(path, devices)
    if devices:
        select_one(devices, "compress measures on one device: name it")
    found = check_build(project, project.folder / BUILD_FOLDER)
    if found.variants is not None and not force:
        say(_nothing_to_do(found.variants))
        return found.variants
    if found.changed:
        say(f"building again: {found.changed}")
    return _build(project, say)[1]


def _build(
    project: Project, say: Callable[[str], None]
) -> tuple[Task | FileTask, tuple[Variant, ...]]:
    folder = project.folder / BUILD_FOLDER
    started_ns = now_ns()
    with watched() as seen:
        task = _load_task(project)
        check_corruptions(task, project.robustness.corruptions)
        rules = rules_of(project.dispatch)
        devices = devices_of(task, project.measure, project.devices, say, rules)
        asked: set[str] = set()

        def find(selector: str) -> TargetDevice:
            asked.add(selector)
            return devices(selector)

        variants = tuple(
            build_variants(task, project.variants, folder, say, opset=project.opset, devices=find)
        )
    given = task.files if isinstance(task, FileTask) else (task.path,)
    build = Build(project, started_ns, seen, given, variants, own_device="" in asked)
    warning = keep_build(build, folder)
    if warning:
        say(warning)
    return task, variants


def _nothing_to_do(variants: Sequence[Variant]) -> str:
    refused = sum(each.failure is not None for each in variants)
    text = f"nothing to do: {len(variants) - refused} variants are up to date"
    if not refused:
        return text
    return f"{text}, and {refused} would be refused again (--force tries all the same)"


def _load_task(project: Project) -> Task | FileTask:
    source = project.source
    if source.model_format is None:
        return load_task(source.path, project.seed)
    return load_file_task(source.path, project.seed, source.evaluation, source.calibration)


@dataclass(frozen=True)
class Finished:
    """``set_aside``: devices of which something is left undone, with the reason; the run can be
    gone on with then."""

    run: Run
    set_aside: Mapping[str, str] = field(default_factory=dict)


def run_built(
    built: Built,
    scratch: Path,
    store: RunStore,
    on_progress: OnProgress,
    resumed: Mapping[str, Any] | None = None,
    on_resumed: Callable[[str], None] = lambda run_id: None,
) -> Finished:
    """Measures, decides, and keeps the run; each device's results as soon as they are there.

    ``resumed``: the plan of an unfinished run to go on with; ``on_resumed`` hears that it does.
    Raises UserError where the project is no longer what it was then.
    """
    run = _begun(built, resumed)
    campaign = _campaign(built, run, scratch, resumed)
    plan = plan_of(run, built.project.path, campaign)
    if resumed is not None:
        check_same(resumed, plan)
    with run_ledger(run.run_id, resumed=resumed is not None) as ledger:
        if resumed is None:
            ledger.begin(plan)
        else:
            on_resumed(run.run_id)
        measured = measure_into(store, run, replace(campaign, ledger=ledger), on_progress)
        decision = choose(measured, built.project.requirements, built.project.objective)
        store.set_decision(run.run_id, decision)
        if not ledger.set_aside:
            ledger.discard()
        return Finished(replace(measured, decision=decision), ledger.set_aside)


def _begun(built: Built, resumed: Mapping[str, Any] | None) -> Run:
    now = datetime.now(UTC)
    told = resumed or {}
    return Run(
        run_id=told.get("run_id") or new_run_id(now),
        name=told.get("name") or built.name,
        created=told.get("created") or now.isoformat(timespec="seconds"),
        variants=built.variants,
        results=(),
    )


def _campaign(built: Built, run: Run, scratch: Path, resumed: Mapping[str, Any] | None) -> Campaign:
    project = built.project
    return Campaign(
        devices=devices_again(resumed["devices"]) if resumed else select_devices(project.devices),
        candidates=_candidates(built.variants),
        choices=_choices(project),
        scratch=scratch,
        state=local_agent_state(),
        evaluation=evaluation_set(built.task, scratch, _corruption_plan(project)),
        inputs=open_inputs(built.task, scratch),
        reduction=project.measure.reduction,
        metric=built.task.metric,
        profile=project.measure.profile,
        rules=rules_of(project.dispatch, run.run_id),
        deadline_s=project.dispatch.deadline_s,
    )


def _corruption_plan(project: Project) -> CorruptionPlan:
    asked = project.robustness
    return CorruptionPlan(tuple(dict.fromkeys(asked.corruptions)), asked.samples, asked.severity)


def _candidates(variants: Sequence[Variant]) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            variant.artifact,
            variant.name,
            facts=variant.origin.facts if variant.origin is not None else None,
        )
        for variant in variants
        if variant.artifact is not None
    )


def _choices(project: Project) -> Choices:
    return Choices(
        base=replace(project.measure.base, runtime=""),
        runtimes=project.measure.runtimes,
        or_preferred=True,
        threads=project.measure.threads,
    )
