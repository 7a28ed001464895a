"""The way of one variant of a model file: passes on the file, each checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from trimtab.compress.cache import Cache, copy_whole
from trimtab.compress.layers_file import read_layers
from trimtab.compress.passes import ModelFile, PassContext, PassRejected
from trimtab.compress.pipeline import Recipe, apply_to_artifact, recipe_of
from trimtab.compress.quiet import quiet
from trimtab.export.base import Exporter, ExportFailed, one_line
from trimtab.export.file_facts import is_quantized
from trimtab.export.file_weights import file_facts
from trimtab.export.origin import Origins
from trimtab.export.plain_files import plain
from trimtab.export.registry import load_exporter
from trimtab.export.stages import Made, checked
from trimtab.export.verify import SAMPLE_COUNT, Reference
from trimtab.project import PassStep
from trimtab.records import Origin
from trimtab.task import NEEDS_THE_MODEL, FileTask


class FileStages:
    """The reference is the float file itself, in its own runtime."""

    def __init__(
        self,
        task: FileTask,
        cache_dir: Path,
        progress: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._progress = progress
        self._task = task
        self._cache = Cache(cache_dir)
        self._origins = Origins(task)

    @property
    def cache_folder(self) -> Path:
        return self._cache.folder

    def make(
        self, steps: Sequence[PassStep], model_format: str, target: Path, scratch: Path
    ) -> Made:
        """Writes ``target``. Raises PassRejected, ExportFailed, UserError."""
        task = self._task
        if model_format != task.format:
            raise PassRejected(
                f"{task.path.name} can be compressed as {task.format}; {model_format} needs "
                f"{NEEDS_THE_MODEL}"
            )
        recipe = recipe_of(steps, model_format)
        self._check(recipe)
        as_it_is = f"{task.path.name} as it is, byte for byte"
        verified = f"verified: {self._verified()}"
        context = PassContext(task, scratch, self._progress)
        if not recipe.on_artifact:
            _copy_with_its_data(ModelFile(task.path, task.format), target)
            origin = self._origin(recipe, context, target)
            return Made(target, (as_it_is, verified), origin=origin)
        exporter, reference = self._exporter, self._reference
        final, done = apply_to_artifact(
            recipe.on_artifact,
            self._source(scratch),
            context,
            self._cache,
            lambda path: checked(exporter, path, reference),
        )
        copy_whole(final.path, target)
        origin = self._origin(recipe, context, target)
        return Made(target, (as_it_is, verified, *done), read_layers(final.path), origin)

    def _origin(self, recipe: Recipe, context: PassContext, made: Path) -> Origin:
        facts = file_facts(made, self._task.format)
        return self._origins.of(recipe, self._task.format, context, facts=facts)

    def _check(self, recipe: Recipe) -> None:
        on_model = [each.step.use for each in recipe.on_model]
        if on_model:
            raise PassRejected(f"{', '.join(on_model)} needs {NEEDS_THE_MODEL}")
        refused = [each.step.use for each in recipe.on_artifact if not each.work.takes_quantized]
        if refused and self._is_quantized:
            raise PassRejected(
                f"{self._task.path.name} is quantized already; {refused[0]} starts from a float "
                "file: name that one"
            )

    def _source(self, scratch: Path) -> ModelFile:
        with quiet():
            return plain(ModelFile(self._task.path, self._task.format), scratch)

    def _verified(self) -> str:
        reference = self._reference
        if not all(np.isfinite(each.astype(np.float64)).all() for each in reference.outputs):
            raise ExportFailed(f"an output of {self._task.path.name} is NaN or infinite")
        count = f"{len(reference.outputs[0])} {reference.samples_are}"
        return f"it runs, and its outputs on {count} are what the others are compared with"

    @cached_property
    def _exporter(self) -> Exporter:
        return load_exporter(self._task.format, only_to_run=True)

    @cached_property
    def _is_quantized(self) -> bool:
        with quiet():
            return is_quantized(self._task.path, self._task.format)

    @cached_property
    def _reference(self) -> Reference:
        task = self._task
        inputs = dict(zip(task.input_names, task.samples(SAMPLE_COUNT), strict=True))
        try:
            with quiet():
                outputs = self._exporter.run(task.path, inputs)
        except Exception as error:  # runtimes raise their own kinds
            raise ExportFailed(f"{task.path.name} does not run: {one_line(error)}") from error
        samples_are = "samples" if task.has_samples else "random samples (no eval or calibration)"
        owner = f"the float file {task.path.name}"
        return Reference(inputs, outputs, owner=owner, samples_are=samples_are)


def _copy_with_its_data(source: ModelFile, target: Path) -> None:
    """External data keeps its name, which stands in the model."""
    for data in source.files[1:]:
        copy_whole(data, target.parent / data.name)
    copy_whole(source.path, target)
