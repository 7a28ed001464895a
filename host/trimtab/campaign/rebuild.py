"""A variant made again, from what a run keeps of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from trimtab.compress.passes import ModelContext, PassContext, PassRejected
from trimtab.compress.pipeline import recipe_of
from trimtab.export.origin import Origins, float_fingerprint
from trimtab.export.variants import build_variant
from trimtab.project import VariantPlan
from trimtab.project.problem import Problem
from trimtab.project.recipes import pass_steps
from trimtab.records import Origin, UserError, Variant
from trimtab.task import FileTask, Task, load_file_task, load_task

Say = Callable[[str], None]


@dataclass(frozen=True)
class Rebuild:
    """``differences``: what was not as it was when ``stored`` was made."""

    stored: Variant
    variant: Variant
    differences: tuple[str, ...]

    @property
    def is_identical(self) -> bool:
        was, now = self.stored.artifact, self.variant.artifact
        if was is None or now is None:
            return False
        return [each.digest for each in was.files] == [each.digest for each in now.files]


def rebuild_variant(
    stored: Variant, folder: Path, task_file: Path | None = None, say: Say = lambda line: None
) -> Rebuild:
    """Writes the file to ``folder``. ``task_file``: in place of the one that the run names.

    ``say`` hears what differs, before anything is made; it is made all the same.
    """
    origin = stored.origin
    if origin is None:
        raise UserError(
            f"{stored.name}: the run does not say what it was made from; it is older than that",
            "run the project again",
        )
    plan = _plan(stored)
    task = _task(origin, task_file)
    differences = tuple(_differences(origin, _origin_now(task, plan, origin.opset)))
    for each in differences or ("source, data, seed and versions are as they were",):
        say(each)
    with tempfile.TemporaryDirectory(prefix="trimtab-") as cache:
        made = build_variant(task, plan, folder, Path(cache), say, origin.opset)
    return Rebuild(stored, made, differences)


def _plan(stored: Variant) -> VariantPlan:
    try:
        steps = pass_steps(stored.recipe, ())
    except Problem as error:
        raise UserError(
            f"{stored.name}: its recipe is none for this trimtab: {error}",
            "install the version that made it: `trimtab runs show RUN --variant NAME`",
        ) from error
    return VariantPlan(stored.name, (stored.format,), steps)


def _task(origin: Origin, task_file: Path | None) -> Task | FileTask:
    source, *others = origin.sources
    if task_file is None and not origin.folder:
        raise UserError(
            f"the run was imported: where {source.name} stands here is not known",
            "give --task FILE, with the files of its data beside it",
        )
    path = Path(origin.folder) / source.name if task_file is None else task_file
    beside = {each.role: path.parent / each.name for each in others}
    for file in (path, *beside.values()):
        if not file.is_file():
            raise UserError(f"{file} does not exist", "name the task's file with --task FILE")
    if source.role == "task":
        return load_task(path, origin.seed)
    return load_file_task(path, origin.seed, beside.get("eval"), beside.get("calibration"))


def _origin_now(task: Task | FileTask, plan: VariantPlan, opset: int | None) -> Origin:
    """As it would be written down now."""
    model_format = plan.formats[0]
    origins = Origins(task, opset)
    with tempfile.TemporaryDirectory(prefix="trimtab-") as scratch:
        try:
            recipe = recipe_of(plan.passes, model_format)
            if isinstance(task, FileTask):
                return origins.of(recipe, model_format, PassContext(task, Path(scratch)))
            context = ModelContext(task, Path(scratch))
            return origins.of(recipe, model_format, context, float_fingerprint(task))
        except PassRejected as error:
            raise UserError(f"{plan.name}: {error}", "is the task what it was?") from error


def _differences(was: Origin, now: Origin) -> Iterator[str]:
    found = {each.role: each for each in now.sources}
    for before in was.sources:
        after = found.get(before.role)
        if after is None or before.sha256 != after.sha256:
            sha256 = after.sha256[:12] if after is not None else "gone"
            yield f"{before.name} changed: sha256 {sha256}, was {before.sha256[:12]}"
    if was.model_fingerprint != now.model_fingerprint:
        yield "the task's float model is another one: its program or its weights changed"
    for each in was.data:
        if each not in now.data:
            yield f"the data that {each.step} takes changed"
    if was.python != now.python:
        yield f"Python {now.python}, was {was.python}"
    if was.machine != now.machine:
        yield f"{now.machine}, was {was.machine}"
    yield from _versions(was.versions, now.versions)


def _versions(was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in dict.fromkeys((*was, *now)):
        before, after = (each.get(name, "not installed") for each in (was, now))
        if before != after:
            yield f"{name} {after}, was {before}"
