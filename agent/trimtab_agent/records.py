"""The agent's own values: what a job is, what happens in it, what came of it.

protobuf types stop at ``convert.py``; everything inside the agent is one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from trimtab_protos.digest import Digest
from trimtab_protos.failure import Failure

JobState = Literal[
    "pending", "preparing", "cooling", "warming_up", "measuring", "succeeded", "failed", "cancelled"
]
TERMINAL_STATES: frozenset[JobState] = frozenset({"succeeded", "failed", "cancelled"})
Phase = Literal[
    "load", "first_inference", "warm_up", "measure", "memory", "evaluate", "profile", "idle"
]
SensorKind = Literal["instantaneous", "averaged", "counter"]
SensorRole = Literal["total", "addend", "part", "other"]
Reduction = Literal["none", "argmax"]
Outcome = Literal["passed", "failed", "unknown", "not_applicable"]
Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class FileRef:
    """One file of an artifact: a bare, checked name and its content address."""

    name: str
    digest: Digest


@dataclass(frozen=True)
class Arm:
    name: str
    files: tuple[FileRef, ...]
    runtime: str
    accelerator: str
    thread_count: int
    format: str
    runtime_options: Mapping[str, str] = field(default_factory=dict)
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    cpu_affinity: tuple[int, ...] = ()


@dataclass(frozen=True)
class HealthGate:
    """What must be true of the device when the job's turn comes; 0: not asked."""

    min_disk_free_bytes: int = 0
    min_memory_available_bytes: int = 0
    min_battery_percent: float = 0.0
    max_temperature_c: float = 0.0


@dataclass(frozen=True)
class Policy:
    """What has a default was not asked for while it has it.

    ``steady_tolerance`` is a share; ``percentile_sample_count`` is of one repeat, ``max_retries``
    of an arm; ``job_timeout_ns`` of the whole job.
    """

    min_duration_ns: int
    max_duration_ns: int
    min_sample_count: int
    warmup_duration_ns: int
    min_warmup_count: int
    process_timeout_ns: int
    steady_tolerance: float = 0.0
    max_warmup_duration_ns: int = 0
    percentile_sample_count: int = 0
    target_precision: float = 0.0
    max_retries: int = 0
    memory_limit_bytes: int = 0
    max_start_temperature_c: float = 0.0
    cooldown_timeout_ns: int = 0
    job_timeout_ns: int = 0
    health_gate: HealthGate = HealthGate()


@dataclass(frozen=True)
class EvaluationSpec:
    inputs: Digest
    reduction: Reduction


@dataclass(frozen=True)
class BlockSchedule:
    """Two arms in turns: ``count`` blocks of each in a repeat, the first inferences not timed."""

    count: int
    duration_ns: int
    discard_count: int


@dataclass(frozen=True)
class JobSpec:
    """``blocks`` None: round-robin repeats; else two arms, interleaved. ``support_only``: each arm
    is loaded and run once, and nothing is measured.

    ``batch_size`` None: as the file has it; ``rate_hz`` None: back to back; ``sustain_ns`` None: as
    long as the policy says; at most one of the three is set.
    """

    arms: tuple[Arm, ...]
    repeat_count: int
    policy: Policy
    inputs: Digest | None
    input_seed: int
    evaluation: EvaluationSpec | None
    batch_size: int | None = None
    rate_hz: float | None = None
    profile_operators: bool = False
    blocks: BlockSchedule | None = None
    sustain_ns: int | None = None
    support_only: bool = False


@dataclass(frozen=True)
class TensorInfo:
    """``dimensions`` has -1 where the file leaves one open; ``dtype`` is numpy's name."""

    name: str
    dtype: str
    dimensions: tuple[int, ...]


@dataclass(frozen=True)
class MemoryUse:
    """None: the operating system did not tell, or the runtime its arena."""

    runtime_bytes: int | None = None
    model_bytes: int | None = None
    load_peak_bytes: int | None = None
    peak_bytes: int | None = None
    retained_bytes: int | None = None
    peak_file_backed_bytes: int | None = None
    loaded_bytes: int | None = None
    model_file_backed_bytes: int | None = None
    arena_bytes: int | None = None


@dataclass(frozen=True)
class Check:
    """A validity check; ``metrics`` empty: it speaks of all."""

    name: str
    outcome: Outcome
    invalidates: bool
    metrics: tuple[str, ...]
    seen: str
    advice: str = ""


@dataclass(frozen=True)
class ArmResult:
    arm: str
    checks: tuple[Check, ...] = ()
    sample_count: int = 0
    load_duration_ns: tuple[int, ...] = ()
    first_inference_duration_ns: tuple[int, ...] = ()
    io_duration_ns: tuple[int, ...] = ()
    memory: MemoryUse = MemoryUse()
    conditions: Mapping[str, str] = field(default_factory=dict)
    accelerator_used: str = ""
    runtime_version: str = ""
    runtime_package: str = ""
    unavailable: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[TensorInfo, ...] = ()
    outputs: tuple[TensorInfo, ...] = ()
    evaluation_outputs: Digest | None = None
    operator_profile: Digest | None = None
    evaluation_failure: Failure | None = None
    failure: Failure | None = None
    operators: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    sensors: tuple[SensorInfo, ...] = ()


@dataclass(frozen=True)
class StateChanged:
    state: JobState


@dataclass(frozen=True)
class PhaseStarted:
    repeat_count: int


@dataclass(frozen=True)
class SampleBatch:
    """Nanoseconds; offsets from the job's start on the device's monotonic clock."""

    start_offset_ns: tuple[int, ...]
    latency_ns: tuple[int, ...]
    block_index: int = 0


@dataclass(frozen=True)
class SensorBatch:
    """Readings of one sensor, its unit in its name; offsets on the samples' own clock."""

    sensor: str
    offset_ns: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Window:
    """From when to when a repeat was in its event's phase, "measure" or "idle".

    ``inference_count``: all of them, also those that were not timed.
    """

    begin_offset_ns: int
    end_offset_ns: int
    inference_count: int = 0


@dataclass(frozen=True)
class LogLine:
    severity: Severity
    text: str


@dataclass(frozen=True)
class ArmFinished:
    result: ArmResult


@dataclass(frozen=True)
class JobFinished:
    state: JobState
    failure: Failure | None
    arms: tuple[ArmResult, ...]


EventKind = (
    StateChanged
    | PhaseStarted
    | SampleBatch
    | SensorBatch
    | Window
    | MemoryUse
    | LogLine
    | ArmFinished
    | JobFinished
)


@dataclass(frozen=True)
class Event:
    """``sequence`` is 1, 2, 3, ... within one job. ``arm`` empty: about the whole job."""

    sequence: int
    time_unix_ns: int
    kind: EventKind
    arm: str = ""
    repeat_index: int = 0
    phase: Phase | None = None


@dataclass(frozen=True)
class RuntimeInfo:
    """``unavailable_reason`` empty: usable. ``absent_accelerators``: those that the runtime knows
    and this device lacks, each with what is missing."""

    name: str
    version: str
    package: str
    model_formats: tuple[str, ...]
    accelerators: tuple[str, ...]
    unavailable_reason: str = ""
    absent_accelerators: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SensorInfo:
    """``role``: how a sensor of power or energy stands to what the whole device takes: all of it,
    one of several to be added up, or a part of what another covers; None: not known.

    ``counter_range``: where a counter starts from 0 again, in ``unit``; 0: not told.
    """

    name: str
    unit: str
    scope: str
    kind: SensorKind | None
    sample_period_ns: int
    unavailable_reason: str = ""
    role: SensorRole | None = None
    counter_range: float = 0.0


@dataclass(frozen=True)
class CpuCluster:
    core_type: str
    cpu_ids: tuple[int, ...]
    max_frequency_hz: int


@dataclass(frozen=True)
class DeviceInfo:
    device_id: str
    display_name: str
    board_model: str
    soc: str
    cpu_model: str
    machine_arch: str
    os_release: str
    kernel_release: str
    python_version: str
    memory_bytes: int
    cpu_clusters: tuple[CpuCluster, ...]
    boot_id: str
    tuning: Mapping[str, str]
    runtimes: tuple[RuntimeInfo, ...]
    sensors: tuple[SensorInfo, ...]
    hardware: Mapping[str, str] = field(default_factory=dict)
