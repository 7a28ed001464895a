"""A project's settings, as ``trimtab.toml`` gives them: frozen and complete, defaults included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trimtab.measure_policies import DEFAULT_POLICY, POLICIES, SUSTAIN_RANGE_S, PolicyName
from trimtab.records import MeasurementSettings, Objective, Requirement

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
FORMATS = ("onnx", "tflite")
RUNTIMES = ("onnxruntime", "litert")
Percentile = Literal["p50", "p90", "p99"]
_BASE = MeasurementSettings(runtime="")
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
    """Lists span arms: every runtime with every thread count.

    What a policy sets and the file does not is the policy's.
    """

    policy: PolicyName = DEFAULT_POLICY
    runtimes: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = RUNTIMES
    threads: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False, min_length=1)
    ] = (1,)
    accelerator: str = "cpu"
    repeats: int = Field(default=_BASE.repeats, ge=1)
    min_duration_s: float = Field(default=_BASE.min_duration_s, gt=0)
    min_samples: int = Field(default=_BASE.min_samples, ge=1)
    percentile: Percentile = "p90"
    target_precision: float | None = Field(default=None, gt=0, lt=1)
    warmup_s: float = Field(default=_BASE.warmup_s, ge=0)
    min_warmup: int = Field(default=_BASE.min_warmup, ge=0)
    max_warmup_s: float = Field(default=_BASE.max_warmup_s, ge=0)
    steady_tolerance: float = Field(default=_BASE.steady_tolerance, ge=0, lt=1)
    max_duration_s: float = Field(default=_BASE.max_duration_s, gt=0)
    max_retries: int = Field(default=_BASE.max_retries, ge=0, le=100)
    max_start_temperature_c: float | None = Field(default=None, gt=0)
    cooldown_timeout_s: float = Field(default=_BASE.cooldown_timeout_s, ge=0)
    cpu_affinity: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False)] = ()
    memory_limit_mb: float | None = Field(default=None, gt=0)
    process_timeout_s: float = Field(default=300.0, gt=0)
    input_seed: int = Field(default=0, ge=0)
    reduction: Literal["none", "argmax"] = "none"
    runtime_options: dict[str, str] = Field(default_factory=dict)
    input_shapes: dict[
        str, Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False)]
    ] = Field(default_factory=dict)
    batch_size: int | None = Field(default=None, ge=1, le=1 << 20)
    rate_hz: float | None = Field(default=None, gt=0, le=10_000)
    sustain_s: float | None = Field(default=None, ge=SUSTAIN_RANGE_S[0], le=SUSTAIN_RANGE_S[1])

    @model_validator(mode="before")
    @classmethod
    def _under_policy(cls, given: Any) -> Any:
        """The file's own settings over the policy's; an unknown policy is refused as a field.

        A load is sustained in one process, unless the file says more.
        """
        if not isinstance(given, dict):
            return given
        name = given.get("policy", DEFAULT_POLICY)
        once = {"repeats": 1} if given.get("sustain_s") is not None else {}
        return {**POLICIES[name], **once, **given} if name in tuple(POLICIES) else given

    @property
    def base(self) -> MeasurementSettings:
        """The settings of the first runtime and thread count; the others differ in these alone."""
        alike = {field.name for field in fields(MeasurementSettings)} & set(type(self).model_fields)
        return MeasurementSettings(
            runtime=self.runtimes[0],
            **{name: getattr(self, name) for name in alike - {"threads"}},
            threads=self.threads[0],
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
