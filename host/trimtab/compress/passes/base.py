"""What a compression pass is.

A pass acts at one of two stages: on the model in torch (:class:`ModelPass`: prune, factorize,
distill) or on the exported file (:class:`ArtifactPass`: quantize). A recipe applies those of the
first stage, exports, and applies those of the second.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from trimtab.compress.checkpoints import Checkpoints
from trimtab.compress.device import Devices
from trimtab.external_data import external_data_files
from trimtab.task import Task, TaskData

if TYPE_CHECKING:
    from torch import nn

Stage = Literal["model", "artifact"]
Need = Literal["calibration_data", "train_data", "validation_data", "student"]


class PassConfig(BaseModel):
    """Settings of a pass; every field has a description, which help, docs and search read."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


ConfigT = TypeVar("ConfigT", bound=PassConfig)


class PassRejected(Exception):
    """The pass cannot do this here; the text is the reason that is shown."""


@dataclass(frozen=True)
class ModelFile:
    path: Path
    format: str

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, and the external data of an ONNX model; UserError where it lies elsewhere."""
        return (self.path, *(external_data_files(self.path) if self.format == "onnx" else ()))


@dataclass(frozen=True)
class PassContext:
    """``scratch``: a folder for temporary files, removed afterwards."""

    task: TaskData
    scratch: Path
    progress: Callable[[str], None] = lambda line: None


@dataclass(frozen=True)
class ModelContext(PassContext):
    """For passes on the model: there is one, with its loss and its training data.

    ``task.model`` is the float model that everything started from. ``checkpoints``: where training
    keeps what it has, so that it goes on there after it was broken off. ``devices``: to measure on;
    None: nothing can be measured here.
    """

    task: Task
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    devices: Devices | None = None


@dataclass(frozen=True)
class Dial:
    """The setting that says how strongly a pass compresses, and how far it may be turned.

    ``instead``: settings that say it another way; where one is written down, nothing is turned.
    """

    setting: str
    weakest: float
    strongest: float
    instead: tuple[str, ...] = ()

    def written(self, settings: Mapping[str, Any]) -> str | None:
        """The setting that says it already."""
        return next((each for each in (self.setting, *self.instead) if each in settings), None)


class Pass(ABC, Generic[ConfigT]):
    """``modules`` must be installed. What may stand with what in a recipe is data.

    ``never_after`` and ``only_after`` name earlier passes: none of the former may, at least one of
    the latter must stand before. ``never_with``: passes that it excludes, in either order.
    ``dial``: what a pipeline turns to reach a target; None: it is on or off.
    """

    name: ClassVar[str]
    stage: ClassVar[Stage]
    config: ClassVar[type[PassConfig]]
    modules: ClassVar[tuple[str, ...]] = ()
    only_once: ClassVar[bool] = True
    never_after: ClassVar[frozenset[str]] = frozenset()
    only_after: ClassVar[frozenset[str]] = frozenset()
    never_with: ClassVar[frozenset[str]] = frozenset()
    dial: ClassVar[Dial | None] = None

    @classmethod
    def order_problem(cls, earlier: Sequence[type[Pass[Any]]]) -> str | None:
        """Why the pass cannot follow these."""
        names = [each.name for each in earlier]
        if cls.only_once and cls.name in names:
            return f"pass {cls.name} stands twice in one recipe; once is allowed"
        excluded = next((each for each in earlier if cls._excludes(each)), None)
        if excluded:
            return f"passes {excluded.name} and {cls.name} exclude each other; keep one of them"
        before = next((name for name in names if name in cls.never_after), None)
        if before:
            return f"pass {cls.name} cannot follow {before}; put it before"
        if cls.only_after and not cls.only_after & set(names):
            return f"pass {cls.name} follows {' or '.join(sorted(cls.only_after))}; put one before"
        file_pass = next((each.name for each in earlier if each.stage == "artifact"), None)
        if cls.stage == "model" and file_pass:
            return f"pass {cls.name} works on the model, {file_pass} on the file: put it first"
        return None

    @classmethod
    def settings_problem(
        cls, settings: Mapping[str, Any], earlier: Sequence[type[Pass[Any]]]
    ) -> str | None:
        """As ``order_problem``, for what depends on the settings, of which each is given."""
        return None

    @classmethod
    def _excludes(cls, other: type[Pass[Any]]) -> bool:
        return other.name in cls.never_with or cls.name in other.never_with

    def requires(self, config: ConfigT) -> frozenset[Need]:
        """Data that the task must provide."""
        return frozenset()


class ModelPass(Pass[ConfigT]):
    """Never follows a pass of the artifact stage: there is no model left then."""

    stage: ClassVar[Stage] = "model"

    def rejects(self, model: nn.Module, config: ConfigT) -> str | None:
        """Why the model does not suit the pass."""
        return None

    def data_key(self, config: ConfigT, context: ModelContext) -> str:
        """A digest of the task's data that the result depends on; empty: on none."""
        return ""

    def measures_on(self, config: ConfigT) -> str | None:
        """The selector of the device that the result depends on, "" for the project's own; None: on
        none."""
        return None

    @abstractmethod
    def apply(
        self, model: nn.Module, config: ConfigT, context: ModelContext
    ) -> tuple[nn.Module, str]:
        """A new model, and a sentence on what was done. Raises PassRejected."""


class ArtifactPass(Pass[ConfigT]):
    """``takes_quantized``: files that are quantized already suit it as well."""

    stage: ClassVar[Stage] = "artifact"
    takes_quantized: ClassVar[bool] = False

    def for_format(self, model_format: str) -> ArtifactPass[ConfigT] | ModelPass[ConfigT]:
        """Itself; or what does the same to the model, for formats whose files cannot be changed."""
        return self

    def rejects(self, model_format: str, config: ConfigT) -> str | None:
        """Why files of this format do not suit the pass."""
        return None

    def data_key(self, config: ConfigT, context: PassContext) -> str:
        """A digest of the task's data that the result depends on; empty: on none."""
        return ""

    @abstractmethod
    def apply(self, source: ModelFile, target: Path, config: ConfigT, context: PassContext) -> str:
        """Writes ``target``; a sentence on what was done. Raises PassRejected.

        May leave what it chose for each layer beside it: ``compress.layers_file``.
        """
