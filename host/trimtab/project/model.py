"""A project's settings, as ``trimtab.toml`` gives them: frozen and complete, defaults included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trimtab.measure_policies import DEFAULT_POLICY, POLICIES, SUSTAIN_RANGE_S, PolicyName
from trimtab.plugins import plugin_names
from trimtab.project.dispatch_settings import DispatchSettings
from trimtab.project.problem import Problem, unknown
from trimtab.project.targets import Target
from trimtab.records import MeasurementSettings, Objective, Requirement

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
FORMATS = ("onnx", "tflite")
RUNTIMES = ("onnxruntime", "litert")
Percentile = Literal["p50", "p90", "p99"]
_BASE = MeasurementSettings(runtime="")
DEFAULT_OBJECTIVE = Objective("latency_p50_ms")

_LONGEST_S = 24 * 3600.0
_SCENARIOS = ("batch_size", "rate_hz", "sustain_s")


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _seconds(default: float, description: str) -> Any:
    return Field(default=default, ge=0, le=_LONGEST_S, description=description)


def _positive_seconds(default: float, description: str) -> Any:
    return Field(default=default, gt=0, le=_LONGEST_S, description=description)


class TaskSettings(Settings):
    """``module`` or ``model``; ``eval`` and ``calibration`` go with a model file."""

    module: str | None = None
    model: str | None = None
    eval: str | None = None
    calibration: str | None = None
    seed: int = Field(default=0, ge=0, lt=2**32)


class VariantTable(Settings):
    """As it stands in the file; the passes are still plain tables."""

    name: Name
    formats: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = None
    passes: Annotated[tuple[dict[str, Any], ...], Field(strict=False, min_length=1)]
    target: dict[str, str] | None = None
    on: str | None = None
    max_accuracy_drop: float | None = Field(default=None, ge=0, lt=1)
    points: int | None = Field(default=None, ge=0, le=20)


class DeviceSettings(Settings):
    select: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = ("local",)


class MeasureSettings(Settings):
    """Lists span arms: every runtime with every thread count.

    What a policy sets and the file does not is the policy's.
    """

    policy: PolicyName = Field(default=DEFAULT_POLICY, description="where all the others start")
    runtimes: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = Field(
        default=RUNTIMES, description="each that reads the file's format"
    )
    threads: Annotated[
        tuple[Annotated[int, Field(ge=1, le=1024)], ...], Field(strict=False, min_length=1)
    ] = Field(default=(1,), description="of the runtime")
    accelerator: str = Field(default="cpu", description="what is to run the model")
    repeats: int = Field(default=_BASE.repeats, ge=1, le=100, description="processes per arm")
    min_duration_s: float = _positive_seconds(_BASE.min_duration_s, "timed per process, at least")
    min_samples: int = Field(
        default=_BASE.min_samples, ge=1, description="timed per process, at least"
    )
    percentile: Percentile = Field(
        default="p90", description="that the samples of all repeats must support"
    )
    target_precision: float | None = Field(
        default=None, gt=0, lt=1, description="wanted half-width of p50's interval, a share"
    )
    warmup_s: float = _seconds(_BASE.warmup_s, "warm-up, at least")
    min_warmup: int = Field(
        default=_BASE.min_warmup, ge=1, description="inferences of the warm-up, at least"
    )
    max_warmup_s: float = _seconds(_BASE.max_warmup_s, "warm-up that does not settle, at most")
    steady_tolerance: float = Field(
        default=_BASE.steady_tolerance,
        ge=0,
        lt=1,
        description="share that medians of a steady warm-up may differ by; 0: not looked at",
    )
    max_duration_s: float = _positive_seconds(_BASE.max_duration_s, "timed per process, at most")
    max_retries: int = Field(
        default=_BASE.max_retries, ge=0, le=100, description="of invalid repeats, per arm"
    )
    max_start_temperature_c: float | None = Field(
        default=None, gt=0, description="each repeat waits until the device is that cool"
    )
    cooldown_timeout_s: float = _seconds(_BASE.cooldown_timeout_s, "how long it waits for that")
    cpu_affinity: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False)] = Field(
        default=(), description="processors that the measured process is bound to"
    )
    memory_limit_mb: float | None = Field(
        default=None, gt=0, description="anonymous memory per process"
    )
    process_timeout_s: float = _positive_seconds(
        _BASE.process_timeout_s, "a process that takes longer is ended"
    )
    input_seed: int = Field(default=0, ge=0, lt=2**63, description="of the random inputs")
    reduction: Literal["none", "argmax"] = Field(
        default="none", description="of the outputs, before they leave the device"
    )
    runtime_options: dict[str, str] = Field(
        default_factory=dict, description='such as { "litert.xnnpack" = "off" }'
    )
    input_shapes: dict[
        str, Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False)]
    ] = Field(default_factory=dict, description="of inputs with open dimensions")
    batch_size: int | None = Field(
        default=None, ge=1, le=1 << 20, description="latencies are then per batch"
    )
    rate_hz: float | None = Field(
        default=None, gt=0, le=10_000, description="one inference a period, not back to back"
    )
    sustain_s: float | None = Field(
        default=None,
        ge=SUSTAIN_RANGE_S[0],
        le=SUSTAIN_RANGE_S[1],
        description="one process kept at work for that long",
    )
    profile: bool = Field(default=False, description="time each operator, in processes of its own")
    min_sqnr_db: float = Field(
        default=_BASE.min_sqnr_db, description="outputs below it disagree with their reference"
    )
    min_agreement: float = Field(
        default=_BASE.min_agreement,
        ge=0,
        le=1,
        description="outputs with fewer samples of the reference's class disagree",
    )

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
        alike = {each.name for each in fields(MeasurementSettings)} & set(type(self).model_fields)
        return MeasurementSettings(
            runtime=self.runtimes[0],
            **{name: getattr(self, name) for name in alike - {"threads"}},
            threads=self.threads[0],
        )


def check_measure(measure: MeasureSettings) -> None:
    """What single settings cannot show. Raises Problem; its path starts at the setting."""
    known = plugin_names("trimtab.runtimes")
    for index, name in enumerate(measure.runtimes):
        if name not in known:
            raise Problem(("runtimes", index), *unknown("runtime", name, known))
    scenarios = [name for name in _SCENARIOS if getattr(measure, name) is not None]
    if len(scenarios) > 1:
        first, second = scenarios[:2]
        raise Problem((second,), f"{second} and {first} are two scenarios", "one of the two")
    if measure.min_duration_s > measure.max_duration_s:
        raise Problem(
            ("min_duration_s",),
            f"min_duration_s is {measure.min_duration_s:g}",
            f"at most max_duration_s, which is {measure.max_duration_s:g}",
        )


class RobustnessSettings(Settings):
    """Accuracy on corrupted inputs costs device time: none are made unless they are named."""

    corruptions: Annotated[tuple[Name, ...], Field(strict=False)] = Field(
        default=(), description="noise, blur, brightness, crop, or the task's own"
    )
    samples: int = Field(
        default=500, ge=1, description="of the evaluation set, drawn, corrupted once each"
    )
    severity: int = Field(default=3, ge=1, le=5, description="of the built-in ones, as CIFAR-10-C")


class PreferTable(Settings):
    minimize: str | None = None
    maximize: str | None = None
    otherwise: str | None = None


Bounds = str | Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class ExportSettings(Settings):
    opset: int | None = Field(
        default=None,
        ge=13,
        le=28,
        description="of ONNX files, for devices with an older ONNX Runtime; the IR version follows",
    )


class ProjectTables(Settings):
    """The whole file, its shape and types checked and nothing more."""

    task: TaskSettings
    variant: Annotated[tuple[VariantTable, ...], Field(strict=False)] = ()
    devices: DeviceSettings = DeviceSettings()
    export: ExportSettings = ExportSettings()
    measure: MeasureSettings = MeasureSettings()
    robustness: RobustnessSettings = RobustnessSettings()
    dispatch: DispatchSettings = DispatchSettings()
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
    """What is to be made: a recipe, and the formats it is wanted in; or what it is to reach."""

    name: str
    formats: tuple[str, ...]
    passes: tuple[PassStep, ...]
    target: Target | None = None


@dataclass(frozen=True)
class TaskSource:
    """What the task is made from; every file exists.

    ``path`` is a task file in Python, or a model file, whose format then is ``model_format``.
    """

    path: Path
    model_format: str | None = None
    evaluation: Path | None = None
    calibration: Path | None = None

    @property
    def default_formats(self) -> tuple[str, ...]:
        """Of variants that name none: a model file stays in its own."""
        return (self.model_format,) if self.model_format else FORMATS


@dataclass(frozen=True)
class Project:
    """A checked project."""

    path: Path
    source: TaskSource
    seed: int
    variants: tuple[VariantPlan, ...]
    devices: tuple[str, ...]
    measure: MeasureSettings
    requirements: tuple[Requirement, ...]
    objective: Objective
    opset: int | None = None
    robustness: RobustnessSettings = field(default_factory=RobustnessSettings)
    dispatch: DispatchSettings = field(default_factory=DispatchSettings)

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def formats(self) -> tuple[str, ...]:
        """Those that any variant wants; where none is wanted, all."""
        wanted = dict.fromkeys(name for plan in self.variants for name in plan.formats)
        return tuple(wanted) or self.source.default_formats
