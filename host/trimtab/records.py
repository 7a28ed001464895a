"""The values that pass from stage to stage: artifacts, variants, raw samples, results, decisions.

Plain frozen dataclasses; nothing in here computes or does input and output beyond hashing a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from trimtab_protos.digest import Digest
from trimtab_protos.errors import Failure

from trimtab.operator_profile import OperatorProfile

Int64Array = npt.NDArray[np.int64]
Provenance = Literal["measured", "derived", "estimated", "unavailable"]
Outcome = Literal["passed", "failed", "unknown", "not_applicable"]


class UserError(Exception):
    """A wrong file, option or project: ``message`` says what, ``advice`` what to do. Exit 2."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


@dataclass(frozen=True)
class ArtifactFile:
    """One file of an artifact; ``name`` is the bare name the model refers to it by."""

    name: str
    path: Path
    digest: Digest


@dataclass(frozen=True)
class Artifact:
    """A model in one format; the model file first, then its external data."""

    format: str
    files: tuple[ArtifactFile, ...]
    download_bytes: int
    """As an update would carry it: zstd-compressed, level 19."""

    @property
    def name(self) -> str:
        return self.files[0].name

    @property
    def sha256(self) -> str:
        return self.files[0].digest.sha256

    @property
    def size_bytes(self) -> int:
        return sum(file.digest.size_bytes for file in self.files)


@dataclass(frozen=True)
class Variant:
    """What a recipe made of a task's model, exported to one format.

    ``name`` is unique within (name, format). ``recipe`` holds the passes with all their settings as
    plain data; an empty recipe is the float model. ``lineage`` is what was done, a sentence a step.
    ``failure`` says why there is no artifact (a format that cannot carry the scheme, say).
    """

    name: str
    format: str
    recipe: tuple[Mapping[str, Any], ...]
    lineage: tuple[str, ...]
    artifact: Artifact | None
    failure: Failure | None = None

    @property
    def is_float(self) -> bool:
        return not self.recipe


@dataclass(frozen=True)
class EvaluationSet:
    """``path`` is an .npz of inputs by name, samples on the first axis; ``targets`` stay here."""

    path: Path
    digest: Digest
    targets: npt.NDArray[Any]
    sample_count: int

    @property
    def has_targets(self) -> bool:
        """Not so for inputs that were given only to compare outputs."""
        return len(self.targets) == self.sample_count


@dataclass(frozen=True)
class Check:
    """One validity check. ``metrics`` empty: it speaks of all."""

    name: str
    outcome: Outcome
    invalidates: bool
    metrics: tuple[str, ...]
    seen: str
    advice: str = ""


@dataclass(frozen=True)
class RawRepeat:
    """One process's samples: nanoseconds, in the order they were taken."""

    index: int
    start_offset_ns: Int64Array
    latency_ns: Int64Array
    load_ns: int
    first_inference_ns: int
    io_ns: int | None


@dataclass(frozen=True)
class TensorInfo:
    """``dimensions`` has -1 where the file leaves one open."""

    name: str
    dtype: str
    dimensions: tuple[int, ...]


@dataclass(frozen=True)
class RawArm:
    """What the device said of one arm, before any statistics.

    ``memory_bytes``: keys of runtime, model, load_peak, peak, retained, peak_file_backed, each only
    where the device could tell. ``unavailable``: metric name -> reason. ``evaluation_outputs``: the
    downloaded .npz, outputs by name, samples on the first axis, or None.
    """

    arm: str
    runtime: str
    runtime_version: str
    runtime_package: str
    accelerator_used: str
    repeats: tuple[RawRepeat, ...]
    memory_bytes: Mapping[str, int]
    checks: tuple[Check, ...]
    conditions: Mapping[str, str]
    unavailable: Mapping[str, str]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    evaluation_outputs: Path | None
    evaluation_failure: Failure | None
    failure: Failure | None
    profile: OperatorProfile | None = None
    """None: not asked for."""


@dataclass(frozen=True)
class MeasurementSettings:
    """What was asked of an arm; everything that was in force is written down, defaults too.

    ``batch_size`` None: as the file has it, open ones 1. ``rate_hz`` None: back to back.
    The defaults are those of the policy ``quick``. None: not asked for. ``cpu_affinity`` empty: not
    pinned. ``max_retries`` is of an arm, ``steady_tolerance`` and ``target_precision`` are shares.
    """

    runtime: str
    accelerator: str = "cpu"
    threads: int = 1
    repeats: int = 3
    min_duration_s: float = 0.5
    min_samples: int = 100
    warmup_s: float = 0.2
    min_warmup: int = 5
    max_duration_s: float = 20.0
    process_timeout_s: float = 300.0
    input_seed: int = 0
    runtime_options: Mapping[str, str] = field(default_factory=dict)
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    batch_size: int | None = None
    rate_hz: float | None = None
    policy: str = "quick"
    max_warmup_s: float = 1.0
    steady_tolerance: float = 0.05
    percentile: str = "p90"
    target_precision: float | None = None
    max_retries: int = 1
    max_start_temperature_c: float | None = None
    cooldown_timeout_s: float = 300.0
    cpu_affinity: tuple[int, ...] = ()
    memory_limit_mb: float | None = None


@dataclass(frozen=True)
class Metric:
    """One figure. ``value`` None exactly when ``provenance`` is "unavailable", with the reason."""

    value: float | None
    unit: str
    provenance: Provenance
    ci95: tuple[float, float] | None = None
    valid: bool = True
    reason: str | None = None


@dataclass(frozen=True)
class DeviceRef:
    """``name``: the user's word for it; ``device_id``: the device's own, stable across reboots."""

    name: str
    device_id: str
    description: str = ""


@dataclass(frozen=True)
class Result:
    """One arm on one device, measured or failed: what tables, decisions and files are made of.

    ``raw`` is None where the result was read from the store without its samples, or failed early.
    """

    device: DeviceRef
    artifact: Artifact
    settings: MeasurementSettings
    metrics: Mapping[str, Metric]
    checks: tuple[Check, ...]
    conditions: Mapping[str, str]
    runtime_version: str
    runtime_package: str
    accelerator_used: str
    sample_count: int
    process_count: int
    variant: str | None = None
    job_id: str = ""
    error: Failure | None = None
    raw: RawArm | None = None

    @property
    def valid(self) -> bool:
        """The verdict on the latency."""
        latency = self.metrics.get("latency_p50_ms")
        return self.error is None and latency is not None and latency.valid

    @property
    def label(self) -> str:
        name = self.variant or self.artifact.name
        return f"{name} ({self.artifact.format}, {self.settings.runtime})"


@dataclass(frozen=True)
class Requirement:
    """A hard limit, such as ``latency_p90_ms <= 5``."""

    metric: str
    operator: Literal["<=", ">=", "<", ">"]
    limit: float

    def __str__(self) -> str:
        return f"{self.metric} {self.operator} {self.limit:g}"


@dataclass(frozen=True)
class Objective:
    """What to minimise or maximise; ``otherwise`` replaces it where no candidate has the metric."""

    metric: str
    direction: Literal["minimize", "maximize"] = "minimize"
    otherwise: str | None = None


@dataclass(frozen=True)
class NotChosen:
    """Why a candidate was not chosen, with the figure that decided."""

    label: str
    reason: str
    meets_requirements: bool


@dataclass(frozen=True)
class DeviceDecision:
    """``chosen`` None: nothing meets the requirements; ``reason`` says so with the nearest miss."""

    device: DeviceRef
    chosen: Result | None
    reason: str
    objective_used: str
    not_chosen: tuple[NotChosen, ...]


@dataclass(frozen=True)
class Decision:
    requirements: tuple[Requirement, ...]
    objective: Objective
    devices: tuple[DeviceDecision, ...]


@dataclass(frozen=True)
class Run:
    """One campaign. ``created`` is ISO 8601 in UTC."""

    run_id: str
    name: str
    created: str
    variants: tuple[Variant, ...]
    results: tuple[Result, ...]
    decision: Decision | None = None
