"""What is asked of a device for one arm, and what it says, before any statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from trimtab_protos.errors import Failure

from trimtab.operator_profile import OperatorProfile

Int64Array = npt.NDArray[np.int64]
Float64Array = npt.NDArray[np.float64]
Outcome = Literal["passed", "failed", "unknown", "not_applicable"]
SensorKind = Literal["instantaneous", "averaged", "counter"]
SensorRole = Literal["total", "addend", "part", "other"]


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
class SensorSeries:
    """What one sensor told around a repeat; offsets on the clock of the samples' starts."""

    offset_ns: Int64Array
    values: Float64Array


@dataclass(frozen=True)
class SensorInfo:
    """What a device senses. ``unit`` is UCUM's: mW, mJ, Cel.

    ``kind`` None and ``role`` None: not known. ``role``: how a sensor of power or energy stands to
    what the whole device takes: all of it, one of several to be added up, a part of what another
    covers, or something else. ``sample_period_ns`` 0 and ``counter_range`` 0 (where a counter
    starts from 0 again): not told. ``unavailable_reason`` empty: it answers.
    """

    name: str
    unit: str
    scope: str
    unavailable_reason: str = ""
    kind: SensorKind | None = None
    role: SensorRole | None = None
    sample_period_ns: int = 0
    counter_range: float = 0.0


@dataclass(frozen=True)
class Window:
    """From when to when a repeat was in a phase; offsets on the clock of the samples' starts.

    ``inference_count``: of "measure", all of them, also those that were not timed.
    """

    phase: Literal["measure", "idle"]
    begin_offset_ns: int
    end_offset_ns: int
    inference_count: int = 0


@dataclass(frozen=True)
class RawRepeat:
    """One process's samples: nanoseconds, in the order they were taken.

    ``sensors``: by names that hold their unit, ``temperature_c``; who told nothing is not there.
    Those of power and energy go by their names in ``RawArm.sensors``. ``windows``: empty where the
    device has no such sensor.
    """

    index: int
    start_offset_ns: Int64Array
    latency_ns: Int64Array
    load_ns: int
    first_inference_ns: int
    io_ns: int | None
    sensors: Mapping[str, SensorSeries] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True)
class TensorInfo:
    """``dimensions`` has -1 where the file leaves one open."""

    name: str
    dtype: str
    dimensions: tuple[int, ...]


@dataclass(frozen=True)
class RawArm:
    """What the device said of one arm, before any statistics.

    ``memory_bytes``: keys of runtime, model, load_peak, peak, retained, peak_file_backed, loaded,
    model_file_backed, arena, each only where the device could tell. ``unavailable``: metric name ->
    reason. ``evaluation_outputs``: the downloaded .npz, outputs by name, samples on the first axis,
    or None.
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
    sensors: tuple[SensorInfo, ...] = ()
    """Of power and energy, in whose unit and kind the repeats' series are; with a reason: one that
    failed in the middle or could not be read."""


@dataclass(frozen=True)
class MeasurementSettings:
    """What was asked of an arm; everything that was in force is written down, defaults too.

    ``batch_size`` None: as the file has it, open ones 1. ``rate_hz`` None: back to back.
    ``sustain_s`` None: no sustained load, as long as the minimums say.
    The defaults are those of the policy ``quick``. None: not asked for. ``cpu_affinity`` empty: not
    pinned. ``max_retries`` is of an arm, ``steady_tolerance`` and ``target_precision`` are shares.
    Outputs that agree less with their reference than ``min_sqnr_db`` and ``min_agreement`` (the
    share of samples with the same class) are nonsense, not merely rounded: zeros for outputs have
    0 dB, unrelated outputs of the same size -3 dB, int8 commonly 15 to 40.
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
    sustain_s: float | None = None
    min_sqnr_db: float = 6.0
    min_agreement: float = 0.8
