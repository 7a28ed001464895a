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
from trimtab_agent.power.meter import PowerSeen
from trimtab_agent.records import Arm, MemoryUse, Phase, TensorInfo, Window
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
    windows: list[tuple[Phase, Window]] = field(default_factory=list)
    busy_cores: float | None = None
    power: PowerSeen = field(default_factory=PowerSeen)
    isolation: tuple[str, ...] | None = None
    isolation_missing: dict[str, str] = field(default_factory=dict)
    memory_limit_bytes: int = 0
    kept_limit_bytes: int = 0

    def hear(self, message: Message) -> None:
        """Note one message of its worker's; what says nothing of a repeat is passed over."""
        hear = {
            "isolated": self._isolated,
            "confined": self._confined,
            "loaded": self._loaded,
            "first_inference": self._first_inference,
            "warmed_up": self._warmed_up,
            "samples": self._sampled,
            "measured": self._measured,
            "periods": self._kept_rate,
            "window": self._passed,
            "block": self._ended_block,
            "io": self._copied,
            "finite": self._looked_at_outputs,
        }.get(message["kind"])
        if hear is not None:
            hear(message)

    def _isolated(self, message: Message) -> None:
        self.isolation = tuple(message["in_force"])
        self.isolation_missing = dict(message["missing"])

    def _confined(self, message: Message) -> None:
        self.memory_limit_bytes = int(message["memory_limit_bytes"])
        self.kept_limit_bytes = int(message["kept_limit_bytes"])

    def _loaded(self, message: Message) -> None:
        self.load_ns = int(message["load_ns"])

    def _first_inference(self, message: Message) -> None:
        self.first_inference_ns = int(message["duration_ns"])

    def _warmed_up(self, message: Message) -> None:
        self.warmup_count = int(message["count"])
        self.warmup_duration_ns = int(message["duration_ns"])
        self.settled = message.get("settled")
        self.warmup_spread = message.get("spread")

    def _sampled(self, message: Message) -> None:
        self.start_offset_ns.extend(message["start_offset_ns"])
        self.latency_ns.extend(message["latency_ns"])

    def _measured(self, message: Message) -> None:
        self.announced_sample_count = int(message["sample_count"])
        if "planned_count" in message:
            self.planned_count = int(message["planned_count"])
            self.plan_reason = str(message["plan_reason"])
        if "timed_every" in message:
            self.timed_every = int(message["timed_every"])
            self.inference_count = int(message["inference_count"])

    def _kept_rate(self, message: Message) -> None:
        self.periods = Periods(
            float(message["rate_hz"]),
            int(message["taken"]),
            int(message["missed"]),
            int(message["latest_start_ns"]),
        )

    def _ended_block(self, message: Message) -> None:
        before = self.announced_sample_count or 0
        self.announced_sample_count = before + int(message["sample_count"])

    def _copied(self, message: Message) -> None:
        self.io_ns = int(message["duration_ns"])

    def _looked_at_outputs(self, message: Message) -> None:
        self.outputs_finite = bool(message["finite"])

    def _passed(self, message: Message) -> None:
        """A window of its time is over."""
        begin, end = int(message["begin_offset_ns"]), int(message["end_offset_ns"])
        window = Window(begin, end, int(message["inference_count"]))
        self.windows.append((message["phase"], window))
        if "busy_cores" in message:
            self.busy_cores = float(message["busy_cores"])

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
        self.repeats[-1].hear(message)


def memory_use(message: Message) -> MemoryUse:
    return MemoryUse(**{item.name: message.get(item.name) for item in fields(MemoryUse)})


def _tensors(plain: list[Message]) -> tuple[TensorInfo, ...]:
    return tuple(
        TensorInfo(str(tensor["name"]), str(tensor["dtype"]), tuple(tensor["dimensions"]))
        for tensor in plain
    )
