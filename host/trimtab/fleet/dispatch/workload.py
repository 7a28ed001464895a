"""What every device of a run is given, by which rules, and what comes of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from trimtab.fleet.holder import holder_name
from trimtab.fleet.jobs import ArmRequest, BlockSchedule, DeviceInfo, HealthGate, Reduction
from trimtab.fleet.ledger import RunLedger
from trimtab.records import DeviceRef, EvaluationSet, Int64Array, RawArm

_KEY_LENGTH = 24


@dataclass(frozen=True)
class Rules:
    """How a run deals with devices that fail.

    ``arms_per_job`` None: all of a device's arms take turns in one job. ``attempts``: how often a
    job is tried that fails for its device's sake. ``patience_s``: how long a device that answered
    before may be silent. ``job_deadline_s`` 0: none. ``holder``: who asks for the devices' leases.
    """

    arms_per_job: int | None = None
    attempts: int = 3
    patience_s: float = 60.0
    job_deadline_s: float = 0.0
    health: HealthGate = field(default_factory=HealthGate)
    holder: str = field(default_factory=holder_name)


@dataclass(frozen=True)
class Workload:
    """``arms`` may depend on what the device has. ``deadline_at``: on the event loop's clock.
    ``telemetry_s``: how often the device tells what it is doing, None: not at all.

    ``interleaved`` is for two arms: where one of them cannot run, neither does.
    """

    arms: Callable[[DeviceInfo], Sequence[ArmRequest]]
    evaluation: EvaluationSet | None
    reduction: Reduction
    inputs: EvaluationSet | None
    ledger: RunLedger
    profile: bool = False
    interleaved: BlockSchedule | None = None
    rules: Rules = field(default_factory=Rules)
    deadline_at: float | None = None
    telemetry_s: float | None = 1.0

    @property
    def data(self) -> tuple[EvaluationSet, ...]:
        """What every arm needs beside its own files."""
        return tuple(each for each in (self.evaluation, self.inputs) if each is not None)

    def key(self, arm: ArmRequest) -> str:
        """The same for the same arm under the same conditions, in this process or the next."""
        identity = [
            arm.name,
            arm.artifact.format,
            [file.digest.sha256 for file in arm.artifact.files],
            asdict(arm.settings),
            self.evaluation.digest.sha256 if self.evaluation else None,
            self.inputs.digest.sha256 if self.inputs else None,
            self.reduction,
            self.profile,
            asdict(self.interleaved) if self.interleaved else None,
        ]
        text = json.dumps(identity, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]


@dataclass(frozen=True)
class Measured:
    request: ArmRequest
    device: DeviceRef
    raw: RawArm
    job_id: str
    blocks: tuple[Mapping[int, Int64Array], ...] = ()


def deadline_in(seconds: float | None) -> float | None:
    """From now, on the running event loop's clock; None: never."""
    return None if seconds is None else asyncio.get_running_loop().time() + seconds
