"""One arm on one device as figures: what tables, decisions and files are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from trimtab_protos.errors import Failure

from trimtab.records.artifacts import Artifact
from trimtab.records.measured import Check, MeasurementSettings, RawArm
from trimtab.records.power import DevicePower
from trimtab.records.robustness import Robustness

Provenance = Literal["measured", "derived", "estimated", "unavailable"]


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
    robustness: Robustness | None = None
    """None: it was not looked at (an older run, a failed arm)."""
    power: DevicePower = field(default_factory=DevicePower)
    """What the user knew of the device's power when it was measured."""

    @property
    def valid(self) -> bool:
        """The verdict on the latency."""
        latency = self.metrics.get("latency_p50_ms")
        return self.error is None and latency is not None and latency.valid

    @property
    def label(self) -> str:
        name = self.variant or self.artifact.name
        return f"{name} ({self.artifact.format}, {self.settings.runtime})"
