"""A task and recipes in, variants out: the float model and each recipe in each format.

One failing recipe or format is that variant's failure and nobody else's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from trimtab_protos.errors import Failure

from trimtab.artifact_files import artifact_from_file, companions, suffix_of
from trimtab.compress.passes import PassRejected
from trimtab.export.base import ExportFailed, one_line
from trimtab.export.stages import Made, Stages
from trimtab.extras import need_compress
from trimtab.project import PassStep, VariantPlan
from trimtab.project.model import FORMATS
from trimtab.project.recipes import FLOAT
from trimtab.records import UserError, Variant
from trimtab.task import Task

Progress = Callable[[str], None]


def build_variants(
    task: Task,
    plans: Sequence[VariantPlan],
    out_dir: Path,
    progress: Progress = lambda line: None,
    cache_dir: Path | None = None,
    opset: int | None = None,
) -> list[Variant]:
    """Float first, in each format that a plan wants (without plans: in all), then each plan.

    Files are written to ``out_dir`` as NAME.SUFFIX; what was made before comes from ``cache_dir``
    (else ``out_dir/.cache``). ``opset``: of ONNX files. Raises UserError where the task's model
    itself cannot be made.
    """
    need_compress("compressing a model", "torch")
    out_dir.mkdir(parents=True, exist_ok=True)
    progress("making the task's model")
    _ = task.model
    stages = Stages(task, cache_dir or out_dir / ".cache", progress, opset)
    builder = _Builder(stages, out_dir, progress)
    formats = tuple(dict.fromkeys(name for plan in plans for name in plan.formats)) or FORMATS
    wanted = [VariantPlan(FLOAT, formats, ()), *plans]
    return [builder.build(plan, name) for plan in wanted for name in plan.formats]


class _Builder:
    def __init__(self, stages: Stages, out_dir: Path, progress: Progress) -> None:
        self._stages = stages
        self._out_dir = out_dir
        self._progress = progress

    def build(self, plan: VariantPlan, model_format: str) -> Variant:
        self._progress(f"{plan.name}: {model_format}")
        recipe = tuple(step.as_data() for step in plan.passes)
        try:
            made = self._make(plan.passes, model_format, plan.name + suffix_of(model_format))
            artifact = artifact_from_file(made.path)
        except Exception as error:  # passes and converters raise anything; the others go on
            reason = _reason(error)
            self._progress(f"{plan.name}: {model_format} failed: {reason}")
            failure = Failure("model", reason)
            return Variant(plan.name, model_format, recipe, (), None, failure)
        return Variant(plan.name, model_format, recipe, made.lineage, artifact, layers=made.layers)

    def _make(self, steps: Sequence[PassStep], model_format: str, file_name: str) -> Made:
        target = self._out_dir / file_name
        for file in (target, *companions(target)):
            file.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(prefix="trimtab-") as scratch:
            return self._stages.make(steps, model_format, target, Path(scratch))


def _reason(error: Exception) -> str:
    if isinstance(error, UserError):
        return error.message
    if isinstance(error, PassRejected | ExportFailed):
        return str(error)
    return one_line(error)
