"""What the workers have said of one arm so far."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, fields
from typing import Any

from trimtab_protos.digest import Digest
from trimtab_protos.failure import Failure

from trimtab_agent.disturbance import Gate, Reading, Seen
from trimtab_agent.foreign import ForeignLoad
from trimtab_agent.paging import Paging
from trimtab_agent.records import Arm, MemoryUse, TensorInfo
from trimtab_agent.scenario import Periods

Message = dict[str, Any]


@dataclass
class RepeatProgress:
    """One process's figures, nanoseconds; None where the worker did not get so far."""

    index: int
    load_ns: int | None = None
    first_inference_ns: int | None = None
    io_ns: int | None = None
    warmup_count: int | None = None
    warmup_duration_ns: int | None = None
    start_offset_ns: array[int] = field(default_factory=lambda: array("q"))
    latency_ns: array[int] = field(default_factory=lambda: array("q"))
    announced_sample_count: int | None = None
    outputs_finite: bool | None = None
    periods: Periods | None = None
    settled: bool | None = None
    warmup_spread: float | None = None
    planned_count: int | None = None
    plan_reason: str = ""
    timed_every: int | None = None
    inference_count: int | None = None
    gate: Gate | None = None
    load: ForeignLoad | None = None
    readings: tuple[Reading, ...] = ()
    paging: Paging | None = None

    def warmed_up(self, message: Message) -> None:
        self.warmup_count = int(message["count"])
        self.warmup_duration_ns = int(message["duration_ns"])
        self.settled = message.get("settled")
        self.warmup_spread = message.get("spread")

    def measured(self, message: Message) -> None:
        self.announced_sample_count = int(message["sample_count"])
        if "planned_count" in message:
            self.planned_count = int(message["planned_count"])
            self.plan_reason = str(message["plan_reason"])
        if "timed_every" in message:
            self.timed_every = int(message["timed_every"])
            self.inference_count = int(message["inference_count"])

    @property
    def seen(self) -> Seen:
        return Seen(
            settled=self.settled,
            spread=self.warmup_spread,
            warmup_ns=self.warmup_duration_ns,
            load=self.load,
            readings=self.readings,
            gate=self.gate,
            paging=self.paging,
            sample_count=len(self.latency_ns),
        )


@dataclass
class ArmProgress:
    """``failure`` set: the arm takes no part in what follows.

    ``retries``: the repeats that were measured again, each with the reason.
    """

    arm: Arm
    index: int
    model_path: str
    repeats: list[RepeatProgress] = field(default_factory=list)
    runtime_version: str = ""
    runtime_package: str = ""
    accelerator_used: str = ""
    inputs: tuple[TensorInfo, ...] = ()
    outputs: tuple[TensorInfo, ...] = ()
    warnings: list[str] = field(default_factory=list)
    memory: MemoryUse = field(default_factory=MemoryUse)
    memory_failure: Failure | None = None
    arena_bytes: int | None = None
    operator_profile: Digest | None = None
    profile_failure: Failure | None = None
    operator_places: dict[str, dict[str, int]] | None = None
    operators_unavailable: str = ""
    evaluation_outputs: Digest | None = None
    evaluation_failure: Failure | None = None
    failure: Failure | None = None
    retries: list[str] = field(default_factory=list)

    @property
    def sample_count(self) -> int:
        return sum(len(repeat.latency_ns) for repeat in self.repeats)

    def loaded(self, message: Message) -> list[str]:
        """Returns the runtime's warnings that were not heard before."""
        self.runtime_version = str(message["runtime_version"])
        self.runtime_package = str(message["runtime_package"])
        self.accelerator_used = str(message["accelerator_used"])
        self.inputs = _tensors(message["inputs"])
        self.outputs = _tensors(message["outputs"])
        if message.get("places"):
            self.operator_places = message["places"]
        new = [str(text) for text in message["warnings"] if text not in self.warnings]
        self.warnings.extend(new)
        return new

    def measured_repeat(self, message: Message) -> None:
        """Note one message of the repeat that is under way."""
        repeat, kind = self.repeats[-1], message["kind"]
        if kind == "loaded":
            repeat.load_ns = int(message["load_ns"])
        elif kind == "first_inference":
            repeat.first_inference_ns = int(message["duration_ns"])
        elif kind == "warmed_up":
            repeat.warmed_up(message)
        elif kind == "samples":
            repeat.start_offset_ns.extend(message["start_offset_ns"])
            repeat.latency_ns.extend(message["latency_ns"])
        elif kind == "measured":
            repeat.measured(message)
        elif kind == "periods":
            repeat.periods = Periods(
                float(message["rate_hz"]),
                int(message["taken"]),
                int(message["missed"]),
                int(message["latest_start_ns"]),
            )
        elif kind == "block":
            before = repeat.announced_sample_count or 0
            repeat.announced_sample_count = before + int(message["sample_count"])
        elif kind == "io":
            repeat.io_ns = int(message["duration_ns"])
        elif kind == "finite":
            repeat.outputs_finite = bool(message["finite"])


def memory_use(message: Message) -> MemoryUse:
    return MemoryUse(**{item.name: message.get(item.name) for item in fields(MemoryUse)})


def _tensors(plain: list[Message]) -> tuple[TensorInfo, ...]:
    return tuple(
        TensorInfo(str(tensor["name"]), str(tensor["dtype"]), tuple(tensor["dimensions"]))
        for tensor in plain
    )
