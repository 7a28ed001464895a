"""A variant with a target: its files made, looked at, scored and measured on the way."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from trimtab.artifact_files import compressed_size, suffix_of
from trimtab.compress.cache import content_key
from trimtab.compress.device import Devices
from trimtab.compress.passes import PassRejected
from trimtab.compress.progressive import CannotBeMade, Outcome, Pipeline, load_passes
from trimtab.compress.quiet import quiet
from trimtab.compress.validation import score_of
from trimtab.export.base import ExportFailed
from trimtab.export.file_stages import FileStages
from trimtab.export.measured_figures import Figure, Journal, MeasuredFigure, files_of
from trimtab.export.registry import load_exporter
from trimtab.export.stages import Made, Stages
from trimtab.project import PassStep, Target, VariantPlan
from trimtab.task import FileTask, Task

Say = Callable[[str], None]
_BYTES_IN_MB = 1e6
_SIZES: dict[str, Callable[[Path], int]] = {
    "size_mb": lambda path: path.stat().st_size,
    "download_mb": compressed_size,
}


@dataclass(frozen=True)
class Bench:
    """Where pipelines of one task are worked on."""

    task: Task | FileTask
    stages: Stages | FileStages
    devices: Devices | None = None

    def reach(self, plan: VariantPlan, target: Target, model_format: str, say: Say) -> Outcome:
        """Raises CannotBeMade, NotMeasured, PassRejected, UserError."""
        task, stages = self.task, self.stages
        if not task.provides("validation_data") or not isinstance(task, Task):
            raise PassRejected(f"a target needs {task.lacks('validation_data')}")
        journal = Journal(stages.cache_folder / "pipelines" / f"{plan.name}.{model_format}.json")
        figure = _figure(target, model_format, self.devices, journal)
        passes = load_passes(plan.passes, target)
        with tempfile.TemporaryDirectory(prefix="trimtab-") as scratch:
            workshop = FileWorkshop(task, stages, model_format, figure, Path(scratch))
            named = partial(_said, say, plan.name)
            outcome = Pipeline(passes, target, workshop, named).run()
        journal.clear()
        return outcome


def _said(say: Say, name: str, text: str) -> None:
    say(f"{name}: {text}")


def _figure(target: Target, model_format: str, devices: Devices | None, journal: Journal) -> Figure:
    if target.on is None:
        return partial(_counted, target.metric)
    if devices is None:
        raise PassRejected(f"{target.metric} is measured on a device, and there is none here")
    return MeasuredFigure(target.metric, model_format, devices(target.on), journal)


def _counted(metric: str, made: Made) -> float:
    """Of the file, or of the model in it. Raises CannotBeMade where it cannot be counted."""
    if metric in _SIZES:
        return sum(_SIZES[metric](path) for path in files_of(made)) / _BYTES_IN_MB
    facts = made.origin.facts if made.origin else None
    count = getattr(facts, metric, None)
    if count is None:
        reason = facts.unknown.get(metric, "not counted") if facts else "not counted"
        raise CannotBeMade(f"{metric} is unknown: {reason}")
    return float(count)


class FileWorkshop:
    """Figures and scores are of the exported files, so that passes on files count too."""

    def __init__(
        self,
        task: Task,
        stages: Stages | FileStages,
        model_format: str,
        figure: Figure,
        scratch: Path,
    ) -> None:
        self._task = task
        self._stages = stages
        self._exporter = load_exporter(model_format)
        self._figure = figure
        self._scratch = scratch
        self._files: dict[str, Made | CannotBeMade] = {}
        self._figures: dict[str, float] = {}
        self._scores: dict[str, float] = {}

    def figure(self, steps: Sequence[PassStep]) -> float:
        key = _key(steps)
        if key not in self._figures:
            self._figures[key] = self._figure(self._made(steps, key))
        return self._figures[key]

    def score(self, steps: Sequence[PassStep]) -> float:
        key = _key(steps)
        if key not in self._scores:
            inputs, _ = self._task.validation
            named = dict(zip(self._task.input_names, inputs, strict=True))
            with quiet():
                outputs = self._exporter.run(self._made(steps, key).path, named)
            self._scores[key] = score_of(outputs, self._task)
        return self._scores[key]

    def _made(self, steps: Sequence[PassStep], key: str) -> Made:
        """What was refused once is refused again with the same words."""
        if key not in self._files:
            try:
                self._files[key] = self._make(steps, self._scratch / key)
            except (PassRejected, ExportFailed) as error:
                self._files[key] = CannotBeMade(str(error))
        made = self._files[key]
        if isinstance(made, CannotBeMade):
            raise made
        return made

    def _make(self, steps: Sequence[PassStep], folder: Path) -> Made:
        folder.mkdir()
        target = folder / f"model{suffix_of(self._exporter.format)}"
        return self._stages.make(steps, self._exporter.format, target, folder)


def _key(steps: Sequence[PassStep]) -> str:
    return content_key({"steps": [step.as_data() for step in steps]})[:32]
