"""A task and recipes in, variants out: the float model and each recipe in each format.

One failing recipe or format is that variant's failure and nobody else's.
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trimtab_protos.errors import Failure, FailureClass

from trimtab.artifact_files import artifact_from_file, companions, suffix_of
from trimtab.compress.device import Devices
from trimtab.compress.passes import PassRejected, passes_on_models
from trimtab.compress.progressive import CannotBeMade
from trimtab.export.base import ExportFailed, one_line
from trimtab.export.file_stages import FileStages
from trimtab.export.measured_figures import NotMeasured
from trimtab.export.progressive import Bench
from trimtab.export.stages import Made, Stages
from trimtab.extras import need_compress
from trimtab.project import PassStep, VariantPlan
from trimtab.project.model import FORMATS
from trimtab.project.recipes import FLOAT
from trimtab.records import UserError, Variant
from trimtab.task import NEEDS_THE_MODEL, FileTask, Task

Progress = Callable[[str], None]
_RESOURCES = (errno.ENOSPC, errno.ENOMEM, errno.EDQUOT, errno.EMFILE, errno.EIO)
# What reading and running a file takes; a pass asks for its own libraries itself.
_FILE_MODULES = {"onnx": ("onnx", "onnxruntime"), "tflite": ("ai_edge_litert",)}


def build_variants(
    task: Task | FileTask,
    plans: Sequence[VariantPlan],
    out_dir: Path,
    progress: Progress = lambda line: None,
    cache_dir: Path | None = None,
    opset: int | None = None,
    devices: Devices | None = None,
) -> list[Variant]:
    """Float first, in each format that a plan wants (without plans: in all), then each plan.

    Files are written to ``out_dir`` as NAME.SUFFIX; what was made before comes from ``cache_dir``
    (else ``out_dir/.cache``). A model file is the float variant, in its own format alone.
    ``opset``: of ONNX files. ``devices``: to measure on while variants are made. Raises UserError
    where the task's model itself cannot be made.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    stages = _stages(task, cache_dir or out_dir / ".cache", progress, opset, devices)
    builder = _Builder(Bench(task, stages, devices), out_dir, progress)
    wanted = [VariantPlan(FLOAT, _float_formats(task, plans), ()), *plans]
    return [made for plan in wanted for name in plan.formats for made in builder.all_of(plan, name)]


def build_variant(
    task: Task | FileTask,
    plan: VariantPlan,
    out_dir: Path,
    cache_dir: Path,
    progress: Progress = lambda line: None,
    opset: int | None = None,
    devices: Devices | None = None,
) -> Variant:
    """The plan's in its first format, and no other."""
    out_dir.mkdir(parents=True, exist_ok=True)
    stages = _stages(task, cache_dir, progress, opset, devices)
    return _Builder(Bench(task, stages, devices), out_dir, progress).build(plan, plan.formats[0])


def _stages(
    task: Task | FileTask,
    cache_dir: Path,
    progress: Progress,
    opset: int | None,
    devices: Devices | None,
) -> Stages | FileStages:
    if isinstance(task, FileTask):
        need_compress("compressing a model file", *_FILE_MODULES[task.format])
        progress(f"reading {task.path.name}")
        _ = task.inputs
        beyond = passes_on_models()
        if beyond:
            progress(f"not for a file: {', '.join(beyond)}; each needs {NEEDS_THE_MODEL}")
        return FileStages(task, cache_dir, progress)
    need_compress("compressing a model", "torch")
    progress("making the task's model")
    _ = task.model
    return Stages(task, cache_dir, progress, opset, devices)


def _float_formats(task: Task | FileTask, plans: Sequence[VariantPlan]) -> tuple[str, ...]:
    if isinstance(task, FileTask):
        return (task.format,)
    return tuple(dict.fromkeys(name for plan in plans for name in plan.formats)) or FORMATS


class _Builder:
    def __init__(self, bench: Bench, out_dir: Path, progress: Progress) -> None:
        self._bench = bench
        self._out_dir = out_dir
        self._progress = progress

    def all_of(self, plan: VariantPlan, model_format: str) -> list[Variant]:
        """With a target: also what was made on the way to it."""
        if plan.target is None:
            return [self.build(plan, model_format)]
        self._progress(f"{plan.name}: {model_format}")
        try:
            outcome = self._bench.reach(plan, plan.target, model_format, self._progress)
        except Exception as error:  # as below
            return [self._failed(plan, model_format, error)]
        made = [
            self._noted(f"{plan.name}.{each.label}", each.steps, model_format, str(each))
            for each in outcome.attempts
            if each.steps != outcome.final
        ]
        if outcome.final is None:
            return [*made, self._failed(plan, model_format, PassRejected(outcome.verdict))]
        return [*made, self._noted(plan.name, outcome.final, model_format, outcome.verdict)]

    def _noted(
        self, name: str, steps: tuple[PassStep, ...], model_format: str, note: str
    ) -> Variant:
        variant = self.build(VariantPlan(name, (model_format,), steps), model_format)
        return replace(variant, lineage=(*variant.lineage, note))

    def build(self, plan: VariantPlan, model_format: str) -> Variant:
        self._progress(f"{plan.name}: {model_format}")
        try:
            made = self._make(plan.passes, model_format, plan.name + suffix_of(model_format))
            artifact = artifact_from_file(made.path)
        except Exception as error:  # passes and converters raise anything; the others go on
            return self._failed(plan, model_format, error)
        return Variant(
            plan.name,
            model_format,
            _recipe(plan),
            made.lineage,
            artifact,
            layers=made.layers,
            origin=made.origin,
        )

    def _failed(self, plan: VariantPlan, model_format: str, error: Exception) -> Variant:
        reason = _reason(error)
        self._progress(f"{plan.name}: {model_format} failed: {reason}")
        failure = Failure(_failure_class(error), reason)
        return Variant(plan.name, model_format, _recipe(plan), (), None, failure)

    def _make(self, steps: Sequence[PassStep], model_format: str, file_name: str) -> Made:
        target = self._out_dir / file_name
        for file in (target, *companions(target)):
            file.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(prefix="trimtab-") as scratch:
            return self._bench.stages.make(steps, model_format, target, Path(scratch))


def _recipe(plan: VariantPlan) -> tuple[dict[str, Any], ...]:
    return tuple(step.as_data() for step in plan.passes)


def _failure_class(error: Exception) -> FailureClass:
    if isinstance(error, NotMeasured):
        return "device"
    return "resources" if _lacked_resources(error) else "model"


def _lacked_resources(error: BaseException | None) -> bool:
    """Memory, disk: it may work another time, other than a refusal."""
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        if isinstance(error, OSError) and error.errno in _RESOURCES:
            return True
        error = error.__cause__
    return False


def _reason(error: Exception) -> str:
    if isinstance(error, UserError):
        return error.message
    if isinstance(error, PassRejected | ExportFailed | CannotBeMade | NotMeasured):
        return str(error)
    return one_line(error)
