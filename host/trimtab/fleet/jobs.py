"""What the host asks of a device and hears from it, free of protobuf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from trimtab_protos.digest import Digest
from trimtab_protos.errors import Failure

from trimtab.records import (
    Artifact,
    Check,
    EvaluationSet,
    Int64Array,
    MeasurementSettings,
    SensorInfo,
    SensorSeries,
    TensorInfo,
    Window,
)

Reduction = Literal["none", "argmax"]


@dataclass(frozen=True)
class RuntimeInfo:
    """``unavailable_reason`` empty: usable. ``absent_accelerators``: those that the runtime knows
    and this device lacks, each with what is missing."""

    name: str
    version: str
    package: str
    formats: tuple[str, ...]
    accelerators: tuple[str, ...]
    unavailable_reason: str
    absent_accelerators: Mapping[str, str] = field(default_factory=dict)


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
    cpu_count: int
    max_frequency_hz: int
    agent_version: str
    boot_id: str
    tuning: Mapping[str, str]
    runtimes: tuple[RuntimeInfo, ...]
    sensors: tuple[SensorInfo, ...]
    max_chunk_bytes: int
    hardware: Mapping[str, str] = field(default_factory=dict)
    features: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """One line: what the machine is."""
        what = self.board_model or self.soc or self.machine_arch
        memory = f"{self.memory_bytes / 2**30:.1f} GiB"
        processor = self.cpu_model or self.machine_arch
        return f"{what}: {self.cpu_count} × {processor}, {memory}, {self.os_release}"


@dataclass(frozen=True)
class ArmRequest:
    """``variant`` is the host's own knowledge: None for a file that no recipe made."""

    name: str
    artifact: Artifact
    settings: MeasurementSettings
    variant: str | None = None


@dataclass(frozen=True)
class BlockSchedule:
    """Two arms in turns: blocks of each in a repeat, the first inferences of each not timed."""

    blocks: int = 12
    block_duration_s: float = 0.02
    discard_count: int = 2


@dataclass(frozen=True)
class HealthGate:
    """What must be true of a device when its job's turn comes; 0: not asked."""

    min_disk_free_mb: float = 0.0
    min_memory_mb: float = 0.0
    min_battery_percent: float = 0.0
    max_temperature_c: float = 0.0


@dataclass(frozen=True)
class JobRequest:
    """All arms share the schedule's settings: those of the first arm count.

    ``timeout_s`` is of the whole job, 0: none. ``holder`` is who submits it without a lease.
    """

    request_id: str
    arms: tuple[ArmRequest, ...]
    inputs: Digest | None = None
    evaluation: EvaluationSet | None = None
    reduction: Reduction = "none"
    profile: bool = False
    interleaved: BlockSchedule | None = None
    support_check: bool = False
    lease_id: str = ""
    holder: str = ""
    timeout_s: float = 0.0
    health: HealthGate = field(default_factory=HealthGate)


@dataclass(frozen=True)
class Lease:
    """``remaining_s`` is by the device's clock, from the moment of its answer."""

    lease_id: str
    holder: str
    remaining_s: float


@dataclass(frozen=True)
class Samples:
    start_offset_ns: Int64Array
    latency_ns: Int64Array
    block_index: int = 0


@dataclass(frozen=True)
class Readings:
    sensor: str
    series: SensorSeries


@dataclass(frozen=True)
class ArmOutcome:
    """The device's own summary of an arm, without samples."""

    checks: tuple[Check, ...]
    load_ns: tuple[int, ...]
    first_inference_ns: tuple[int, ...]
    io_ns: tuple[int, ...]
    memory_bytes: Mapping[str, int]
    conditions: Mapping[str, str]
    accelerator_used: str
    runtime_version: str
    runtime_package: str
    unavailable: Mapping[str, str]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    sample_count: int
    evaluation_outputs: Digest | None
    evaluation_failure: Failure | None
    failure: Failure | None
    operator_profile: Digest | None = None
    operators: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    sensors: tuple[SensorInfo, ...] = ()


@dataclass(frozen=True)
class JobUpdate:
    """One event; at most one of the last seven is set. ``terminal_state`` ends the job."""

    sequence: int
    arm: str = ""
    repeat_index: int = 0
    phase: str = ""
    state: str = ""
    repeat_count: int = 0
    samples: Samples | None = None
    readings: Readings | None = None
    window: Window | None = None
    outcome: ArmOutcome | None = None
    log: tuple[str, str] | None = None
    terminal_state: str = ""
    failure: Failure | None = None


def int64(values: object) -> Int64Array:
    return np.array(values, dtype=np.int64)
