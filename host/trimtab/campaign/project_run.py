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
from trimtab.export.variants import build_variants
from trimtab.fleet.progress import OnProgress
from trimtab.project import Project, changed, load_project
from trimtab.records import Run, Variant
from trimtab.store import RunStore, new_run_id
from trimtab.task import (
    CorruptionPlan,
    Task,
    check_corruptions,
    evaluation_set,
    load_task,
    open_inputs,
)

BUILD_FOLDER = "trimtab-build"


@dataclass(frozen=True)
class Built:
    """A project's variants, made; ``name`` is for the run that measures them."""

    name: str
    project: Project
    task: Task
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
    task = load_task(project.task_file, project.seed)
    check_corruptions(task, project.robustness.corruptions)
    variants = build_variants(
        task,
        project.variants,
        project.folder / BUILD_FOLDER,
        say,
        opset=project.opset,
    )
    return Built(name or project.folder.resolve().name, project, task, tuple(variants))


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
        Candidate(variant.artifact, variant.name)
        for variant in variants
        if variant.artifact is not None
    )


def _choices(project: Project) -> Choices:
    return Choices(
        base=replace(project.measure.base, runtime=""),
        runtimes=project.measure.runtimes,
        threads=project.measure.threads,
    )
