"""One variant in one format: passes on the model, export, passes on the file, each checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.compress.cache import Cache, arrays_digest, content_key, copy_with_companions
from trimtab.compress.device import Devices
from trimtab.compress.layers_file import read_layers
from trimtab.compress.model_cache import apply_or_fetch
from trimtab.compress.passes import ModelContext, ModelFile
from trimtab.compress.pipeline import ModelStep, apply_to_artifact, apply_to_model, recipe_of
from trimtab.compress.quiet import quiet
from trimtab.export.base import Exporter, ExportFailed, ExportRequest
from trimtab.export.fingerprint import model_fingerprint
from trimtab.export.onnx_opset import settle
from trimtab.export.origin import Origins, facts_in_file, float_fingerprint
from trimtab.export.registry import load_exporter
from trimtab.export.torch_words import export_reason
from trimtab.export.verify import Reference, reference_outputs
from trimtab.project import PassStep
from trimtab.records import LayerChoice, ModelFacts, Origin
from trimtab.task import Task, seed_everything

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Made:
    path: Path
    lineage: tuple[str, ...]
    layers: tuple[LayerChoice, ...] = ()
    origin: Origin | None = None


@dataclass(frozen=True)
class _Prepared:
    """A model after its model-stage passes, with what identifies it and what it computes."""

    model: nn.Module
    lineage: tuple[str, ...]
    fingerprint: str
    reference: Reference
    facts: ModelFacts


class Stages:
    """Keeps a campaign's models, so that formats and recipes share what they have in common."""

    def __init__(
        self,
        task: Task,
        cache_dir: Path,
        progress: Callable[[str], None] = lambda line: None,
        opset: int | None = None,
        devices: Devices | None = None,
    ) -> None:
        self._task = task
        self._opset = opset
        self._devices = devices
        self._cache = Cache(cache_dir)
        self._progress = progress
        self._origins = Origins(task, opset)
        self._prepared: dict[str, _Prepared] = {}
        self._failed_exports: dict[str, ExportFailed] = {}

    @property
    def cache_folder(self) -> Path:
        return self._cache.folder

    def make(
        self, steps: Sequence[PassStep], model_format: str, target: Path, scratch: Path
    ) -> Made:
        """Writes ``target``. Raises PassRejected, ExportFailed, UserError."""
        recipe = recipe_of(steps, model_format)
        context = ModelContext(self._task, scratch, self._progress, devices=self._devices)
        exporter = load_exporter(model_format, self._opset)
        prepared = self._prepare(recipe.on_model, context)
        source = ModelFile(scratch / f"exported{exporter.suffix}", model_format)
        exported = self._export(prepared, exporter, source.path)
        final, done = apply_to_artifact(
            recipe.on_artifact,
            source,
            context,
            self._cache,
            lambda path: checked(exporter, path, prepared.reference),
        )
        if self._opset is not None and model_format == "onnx":
            settle(final.path)
        copy_with_companions(final.path, target)
        lineage = (*prepared.lineage, *exported, *done)
        facts = prepared.facts
        if recipe.on_artifact:
            facts = facts_in_file(facts, final.path, model_format)
        origin = self._origins.of(recipe, model_format, context, self._float_fingerprint, facts)
        return Made(target, lineage, read_layers(final.path), origin)

    @cached_property
    def _float_fingerprint(self) -> str:
        return float_fingerprint(self._task)

    def _prepare(self, steps: Sequence[ModelStep], context: ModelContext) -> _Prepared:
        from trimtab.compress.model_facts import model_facts

        key = repr([each.step.as_data() for each in steps])
        if key not in self._prepared:
            model, lineage = self._modelled(steps, context)
            fingerprint = self._fingerprint(model)
            reference = reference_outputs(model, self._task)
            with quiet():
                facts = model_facts(model, self._task.example_inputs)
            self._prepared[key] = _Prepared(model, lineage, fingerprint, reference, facts)
        return self._prepared[key]

    def _modelled(
        self, steps: Sequence[ModelStep], context: ModelContext
    ) -> tuple[nn.Module, tuple[str, ...]]:
        if not steps:
            return self._task.model, ()
        fingerprint = self._float_fingerprint
        if not fingerprint:  # the pass itself says better what torch.export refuses
            return apply_to_model(steps, self._task.model, context)
        return apply_or_fetch(steps, self._task.model, fingerprint, context, self._cache)

    def _fingerprint(self, model: nn.Module) -> str:
        if model is self._task.model and self._float_fingerprint:
            return self._float_fingerprint
        try:
            with quiet():
                return model_fingerprint(model, self._task.example_inputs)
        except Exception as error:  # torch.export raises its own kinds
            reason = export_reason(error, "an exported program", self._task.path)
            raise ExportFailed(reason) from error

    def _export(self, prepared: _Prepared, exporter: Exporter, target: Path) -> tuple[str, ...]:
        request = self._request(prepared)
        key = content_key(
            {
                "model": prepared.fingerprint,
                "format": exporter.format,
                "opset": self._opset,
                "names": [request.input_names, request.output_names],
                "shapes": repr(request.dynamic_shapes),
                "samples": arrays_digest(prepared.reference.inputs.values()),
            }
        )
        if key in self._failed_exports:
            raise self._failed_exports[key]
        lineage = self._cache.fetch(key, target)
        if lineage is not None:
            return lineage
        try:
            lineage = self._export_anew(request, prepared.reference, exporter, target)
        except ExportFailed as error:
            self._failed_exports[key] = error
            raise
        self._cache.keep(key, target, lineage)
        return lineage

    def _export_anew(
        self, request: ExportRequest, reference: Reference, exporter: Exporter, target: Path
    ) -> tuple[str, ...]:
        seed_everything(self._task.seed)
        try:
            with quiet():
                sentence = exporter.export(request, target)
                comparison = exporter.verify(target, reference)
        except ExportFailed:
            raise
        except Exception as error:  # converters raise their own kinds
            raise ExportFailed(export_reason(error, exporter.format, self._task.path)) from error
        return sentence, f"verified: {comparison}"

    def _request(self, prepared: _Prepared) -> ExportRequest:
        return ExportRequest(
            model=prepared.model,
            example_inputs=self._task.example_inputs,
            input_names=self._task.input_names,
            output_names=self._task.output_names(len(prepared.reference.outputs)),
            dynamic_shapes=self._task.dynamic_shapes(),
        )


def checked(exporter: Exporter, path: Path, reference: Reference) -> str:
    """A sentence on how the file compares. Raises ExportFailed where it does not run."""
    with quiet():
        return f"checked: {exporter.check(path, reference)}"
