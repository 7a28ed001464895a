"""A project's settings, as ``trimtab.toml`` gives them: frozen and complete, defaults included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from trimtab.records import MeasurementSettings, Objective, Requirement

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
FORMATS = ("onnx", "tflite")
RUNTIMES = ("onnxruntime", "litert")
DEFAULT_OBJECTIVE = Objective("latency_p50_ms")


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TaskSettings(Settings):
    module: str | None = None
    model: str | None = None
    seed: int = Field(default=0, ge=0, lt=2**32)


class VariantTable(Settings):
    """As it stands in the file; the passes are still plain tables."""

    name: Name
    formats: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = FORMATS
    passes: Annotated[tuple[dict[str, Any], ...], Field(strict=False, min_length=1)]


class DeviceSettings(Settings):
    select: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = ("local",)


class MeasureSettings(Settings):
    """Lists span arms: every runtime with every thread count."""

    runtimes: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = RUNTIMES
    threads: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False, min_length=1)
    ] = (1,)
    accelerator: str = "cpu"
    repeats: int = Field(default=3, ge=1)
    min_duration_s: float = Field(default=0.5, gt=0)
    min_samples: int = Field(default=100, ge=1)
    warmup_s: float = Field(default=0.2, ge=0)
    min_warmup: int = Field(default=5, ge=0)
    max_duration_s: float = Field(default=20.0, gt=0)
    process_timeout_s: float = Field(default=300.0, gt=0)
    input_seed: int = Field(default=0, ge=0)
    reduction: Literal["none", "argmax"] = "none"
    runtime_options: dict[str, str] = Field(default_factory=dict)
    input_shapes: dict[
        str, Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False)]
    ] = Field(default_factory=dict)
    batch_size: int | None = Field(default=None, ge=1, le=1 << 20)
    rate_hz: float | None = Field(default=None, gt=0, le=10_000)

    @property
    def base(self) -> MeasurementSettings:
        """The settings of the first runtime and thread count; the others differ in these alone."""
        return MeasurementSettings(
            runtime=self.runtimes[0],
            accelerator=self.accelerator,
            threads=self.threads[0],
            repeats=self.repeats,
            min_duration_s=self.min_duration_s,
            min_samples=self.min_samples,
            warmup_s=self.warmup_s,
            min_warmup=self.min_warmup,
            max_duration_s=self.max_duration_s,
            process_timeout_s=self.process_timeout_s,
            input_seed=self.input_seed,
            runtime_options=self.runtime_options,
            input_shapes=self.input_shapes,
            batch_size=self.batch_size,
            rate_hz=self.rate_hz,
        )


class PreferTable(Settings):
    minimize: str | None = None
    maximize: str | None = None
    otherwise: str | None = None


Bounds = str | Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class ProjectTables(Settings):
    """The whole file, its shape and types checked and nothing more."""

    task: TaskSettings
    variant: Annotated[tuple[VariantTable, ...], Field(strict=False)] = ()
    devices: DeviceSettings = DeviceSettings()
    measure: MeasureSettings = MeasureSettings()
    require: dict[str, Bounds] = Field(default_factory=dict)
    prefer: PreferTable = PreferTable()


@dataclass(frozen=True)
class PassStep:
    """``settings`` holds every setting of the pass, the defaults too."""

    use: str
    settings: Mapping[str, Any]

    def as_data(self) -> dict[str, Any]:
        return {"use": self.use, **self.settings}


@dataclass(frozen=True)
class VariantPlan:
    """What is to be made: a recipe, and the formats it is wanted in."""

    name: str
    formats: tuple[str, ...]
    passes: tuple[PassStep, ...]


@dataclass(frozen=True)
class Project:
    """A checked project; ``task_file`` exists."""

    path: Path
    task_file: Path
    seed: int
    variants: tuple[VariantPlan, ...]
    devices: tuple[str, ...]
    measure: MeasureSettings
    requirements: tuple[Requirement, ...]
    objective: Objective

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def formats(self) -> tuple[str, ...]:
        """Those that any variant wants; where none is wanted, all."""
        wanted = dict.fromkeys(name for plan in self.variants for name in plan.formats)
        return tuple(wanted) or FORMATS
