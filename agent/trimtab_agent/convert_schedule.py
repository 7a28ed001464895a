"""The schedules beside the round-robin one, from protobuf to records and back."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from trimtab_protos.errors import SpecInvalid
from trimtab_protos.v1 import benchmark_pb2

from trimtab_agent.records import BlockSchedule, JobSpec

MAX_BLOCKS = 10_000
MAX_BLOCK_NS = 60 * 10**9
MAX_DISCARDED = 10_000
_ARM_COUNT = 2


def blocks_from_message(message: benchmark_pb2.BenchmarkSpec) -> BlockSchedule | None:
    """None for another schedule. Raises SpecInvalid with the field."""
    if message.WhichOneof("schedule") != "interleaved":
        return None
    if len(message.arms) != _ARM_COUNT:
        raise _invalid("arms", f"an interleaved job has exactly two, there are {len(message.arms)}")
    if message.HasField("evaluation"):
        raise _invalid("evaluation", "an interleaved job has none: ask for it in another job")
    scenario = message.WhichOneof("scenario")
    if scenario == "periodic":
        raise _invalid("periodic", "an interleaved job runs back to back")
    if scenario == "sustained":
        raise _invalid("sustained", "an interleaved job runs in short blocks")
    if message.profile_operators:
        raise _invalid("profile_operators", "an interleaved job has no profile")
    schedule = message.interleaved
    duration = schedule.block_duration
    return BlockSchedule(
        count=_in_range(schedule.blocks_per_repeat, 1, MAX_BLOCKS, "blocks_per_repeat"),
        duration_ns=_in_range(
            duration.seconds * 10**9 + duration.nanos, 1, MAX_BLOCK_NS, "block_duration", "ns"
        ),
        discard_count=_in_range(schedule.discard_count, 0, MAX_DISCARDED, "discard_count"),
    )


def support_only(message: benchmark_pb2.BenchmarkSpec) -> bool:
    """Raises SpecInvalid for what a support check cannot give."""
    if message.WhichOneof("schedule") != "support_check":
        return False
    if message.HasField("evaluation"):
        raise _invalid("evaluation", "a support check has none: ask for it in another job")
    if message.profile_operators:
        raise _invalid("profile_operators", "a support check has no profile")
    if message.WhichOneof("scenario") != "single_stream":
        raise _invalid("scenario", "a support check runs each model once: set single_stream")
    return True


def set_schedule(message: benchmark_pb2.BenchmarkSpec, spec: JobSpec) -> None:
    if spec.support_only:
        message.support_check.SetInParent()
        return
    if spec.blocks is None:
        message.round_robin.repeat_count = spec.repeat_count
        return
    seconds, nanos = divmod(spec.blocks.duration_ns, 10**9)
    message.interleaved.repeat_count = spec.repeat_count
    message.interleaved.blocks_per_repeat = spec.blocks.count
    message.interleaved.block_duration.CopyFrom(Duration(seconds=seconds, nanos=nanos))
    message.interleaved.discard_count = spec.blocks.discard_count


def _in_range(value: int, least: int, most: int, name: str, unit: str = "") -> int:
    if not least <= value <= most:
        text = f"must be from {least} to {most} {unit}".rstrip()
        raise _invalid(f"interleaved.{name}", f"{text}, was {value} (or is missing)")
    return value


def _invalid(field: str, what: str) -> SpecInvalid:
    return SpecInvalid(f"{field}: {what}", field=field)
