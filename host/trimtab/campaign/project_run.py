"""A project from its file to its decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trimtab.campaign.choice import choose
from trimtab.campaign.fleet import Campaign
from trimtab.campaign.plan import Candidate, Choices
from trimtab.campaign.session import local_agent_state, measure_into, select_devices
from trimtab.campaign.target_device import devices_of
from trimtab.campaign.up_to_date import Build, check_build, keep_build, now_ns
from trimtab.campaign.watching import watched
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
) -> Built:
    """``name``: the folder's by default. ``changes`` replace settings of [measure].

    Raises UserError for anything wrong in the project or its task file.
    """
    project = load_project(path)
    project = replace(project, measure=changed(project.measure, changes))
    select_devices(project.devices)  # a device that is not there is known before the minutes pass
    task, variants = _build(project, say)
    return Built(name or project.folder.resolve().name, project, task, variants)


def compress_project(
    path: Path, say: Callable[[str], None], *, force: bool = False
) -> tuple[Variant, ...]:
    """The variants alone: those of the last build where nothing that went into it changed.

    Raises UserError for anything wrong in the project or its task.
    """
    project = load_project(path)
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
        devices = devices_of(task, project.measure, project.devices, say)
        variants = tuple(
            build_variants(
                task, project.variants, folder, say, opset=project.opset, devices=devices
            )
        )
    given = task.files if isinstance(task, FileTask) else (task.path,)
    warning = keep_build(Build(project, started_ns, seen, given, variants), folder)
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


def run_built(
    built: Built,
    scratch: Path,
    store: RunStore,
    on_progress: OnProgress,
) -> Run:
    """Measures, decides, and keeps the run; each device's results as soon as they are there."""
    project = built.project
    created = datetime.now(UTC)
    run = Run(
        run_id=new_run_id(created),
        name=built.name,
        created=created.isoformat(timespec="seconds"),
        variants=built.variants,
        results=(),
    )
    campaign = Campaign(
        devices=select_devices(project.devices),
        candidates=_candidates(built.variants),
        choices=_choices(project),
        scratch=scratch,
        state=local_agent_state(),
        evaluation=evaluation_set(built.task, scratch, _corruption_plan(project)),
        inputs=open_inputs(built.task, scratch),
        reduction=project.measure.reduction,
        metric=built.task.metric,
        profile=project.measure.profile,
    )
    measured = measure_into(store, run, campaign, on_progress)
    decision = choose(measured, project.requirements, project.objective)
    store.set_decision(run.run_id, decision)
    return replace(measured, decision=decision)


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
