"""What a variant is made of, written down so that it can be made again."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from trimtab_protos.digest import digest_file

from trimtab.compress.cache import tool_versions
from trimtab.compress.passes import ModelContext, PassContext
from trimtab.compress.pipeline import ArtifactStep, ModelStep, Recipe
from trimtab.compress.quiet import quiet
from trimtab.export.file_weights import weight_counts
from trimtab.export.fingerprint import model_fingerprint
from trimtab.export.onnx_constants import UnknownWeights
from trimtab.records import ModelFacts, Origin, SourceFile, StepData
from trimtab.records.origin import Role
from trimtab.task import FileTask, Task

_NOT_INSTALLED = "not installed"


class Origins:
    """Of one task; its files and the data of a step are digested once, whatever the format."""

    def __init__(self, task: Task | FileTask, opset: int | None = None) -> None:
        self._task = task
        self._opset = opset
        self._digests: dict[str, str] = {}

    def of(
        self,
        recipe: Recipe,
        model_format: str,
        context: PassContext,
        fingerprint: str = "",
        facts: ModelFacts | None = None,
    ) -> Origin:
        """``fingerprint``: of the float model. Raises what a pass's ``data_key`` does."""
        task = self._task
        return Origin(
            folder=str(self._folder),
            sources=self._sources,
            seed=task.seed,
            versions=_versions(),
            python=platform.python_version(),
            machine=_machine(trains=isinstance(task, Task)),
            data=tuple(self._data(recipe, context)),
            model_fingerprint=fingerprint,
            opset=self._opset if model_format == "onnx" else None,
            facts=facts,
        )

    @property
    def _folder(self) -> Path:
        return self._task.path.parent.absolute()

    @cached_property
    def _sources(self) -> tuple[SourceFile, ...]:
        return tuple(_source(path, self._folder, role) for path, role in _files(self._task))

    def _data(self, recipe: Recipe, context: PassContext) -> Iterator[StepData]:
        steps: tuple[ModelStep | ArtifactStep, ...] = (*recipe.on_model, *recipe.on_artifact)
        for each in steps:
            key = f"{type(each.work).__qualname__} {sorted(each.step.as_data().items())}"
            if key not in self._digests:
                with quiet():
                    self._digests[key] = _digest(each, context)
            if self._digests[key]:
                yield StepData(each.step.use, self._digests[key])


def float_fingerprint(task: Task) -> str:
    """Empty where torch.export refuses the model: then passes may still make one that it takes."""
    try:
        with quiet():
            return model_fingerprint(task.model, task.example_inputs)
    except Exception:  # torch.export raises its own kinds
        return ""


def facts_in_file(facts: ModelFacts, path: Path, model_format: str) -> ModelFacts:
    """Of a model whose file was changed after it was written: the zeros are those in the file."""
    known = {name: reason for name, reason in facts.unknown.items() if name != "sparsity"}
    try:
        count, zeros = weight_counts(path, model_format)
    except UnknownWeights as error:
        reasons: Mapping[str, str] = {**known, "sparsity": str(error)}
        return replace(facts, sparsity=None, unknown=reasons, sparsity_of="file")
    if not count:
        reasons = {**known, "sparsity": "the file holds no weights"}
        return replace(facts, sparsity=None, unknown=reasons, sparsity_of="file")
    return replace(facts, sparsity=zeros / count, unknown=known, sparsity_of="file")


def _digest(each: ModelStep | ArtifactStep, context: PassContext) -> str:
    if isinstance(each, ModelStep):
        if not isinstance(context, ModelContext):
            raise TypeError("a pass on the model needs its context")
        return each.work.data_key(each.config, context)
    return each.work.data_key(each.config, context)


def _files(task: Task | FileTask) -> Iterator[tuple[Path, Role]]:
    if isinstance(task, Task):
        yield task.path, "task"
        return
    yield task.path, "model"
    for path in task.weight_files:
        yield path, "weights"
    for role, path in task.data_files.items():
        yield path, role


def _source(path: Path, folder: Path, role: Role) -> SourceFile:
    name = Path(os.path.relpath(path.absolute(), folder)).as_posix()
    # A task that was made in code names a file that may never have been.
    digest = digest_file(path).sha256 if path.is_file() else ""
    return SourceFile(name, digest, role)


def _versions() -> dict[str, str]:
    return {name: each for name, each in tool_versions().items() if each != _NOT_INSTALLED}


def _machine(trains: bool) -> str:
    """With torch's threads, on which the order of sums depends."""
    machine = f"{platform.system()} {platform.machine()}"
    if not trains:
        return machine
    import torch

    threads = torch.get_num_threads()
    return f"{machine}, {threads} torch thread{'s' if threads != 1 else ''}"
