"""How the inferences follow one another: a job's scenario from protobuf to records and back."""

from __future__ import annotations

from trimtab_protos.errors import SpecInvalid
from trimtab_protos.v1 import benchmark_pb2

from trimtab_agent.convert_policy import MAX_DURATION_NS, duration_message
from trimtab_agent.records import JobSpec

MAX_BATCH = 1 << 20
MAX_RATE_HZ = 10_000.0
MIN_SUSTAIN_NS = 10**9


def batch_size(message: benchmark_pb2.BenchmarkSpec) -> int | None:
    """None: no batches were asked for. Raises SpecInvalid."""
    if message.WhichOneof("scenario") != "offline":
        return None
    size = message.offline.batch_size
    if not 1 <= size <= MAX_BATCH:
        raise _invalid("offline.batch_size", f"must be from 1 to {MAX_BATCH}, was {size}")
    return size


def rate_hz(message: benchmark_pb2.BenchmarkSpec) -> float | None:
    """None: no rate was asked for. Raises SpecInvalid."""
    if message.WhichOneof("scenario") != "periodic":
        return None
    rate = message.periodic.rate_hz
    if not 0 < rate <= MAX_RATE_HZ:  # NaN fails it too
        text = f"must be above 0 and at most {MAX_RATE_HZ:g}, was {rate:g}"
        raise _invalid("periodic.rate_hz", text)
    return rate


def sustain_ns(message: benchmark_pb2.BenchmarkSpec) -> int | None:
    """None: no sustained load was asked for. Raises SpecInvalid."""
    if message.WhichOneof("scenario") != "sustained":
        return None
    duration = message.sustained.duration
    nanoseconds = duration.seconds * 10**9 + duration.nanos
    if not MIN_SUSTAIN_NS <= nanoseconds <= MAX_DURATION_NS:
        text = f"must be from a second to a day, was {nanoseconds / 1e9:g} s"
        raise _invalid("sustained.duration", text)
    return nanoseconds


def set_scenario(message: benchmark_pb2.BenchmarkSpec, spec: JobSpec) -> None:
    if spec.batch_size is not None:
        message.offline.batch_size = spec.batch_size
    elif spec.rate_hz is not None:
        message.periodic.rate_hz = spec.rate_hz
    elif spec.sustain_ns is not None:
        message.sustained.duration.CopyFrom(duration_message(spec.sustain_ns))
    else:
        message.single_stream.SetInParent()


def _invalid(field: str, what: str) -> SpecInvalid:
    return SpecInvalid(f"{field}: {what}", field=field)
