"""A job's measuring policy from protobuf to records and back; refusals name the field."""

from __future__ import annotations

import math
from typing import Any

from google.protobuf.duration_pb2 import Duration
from trimtab_protos.errors import SpecInvalid
from trimtab_protos.v1 import benchmark_pb2

from trimtab_agent.records import HealthGate, Policy

MAX_DURATION_NS = 24 * 3600 * 10**9
MAX_JOB_DURATION_NS = 366 * MAX_DURATION_NS  # longer is no limit; the agent has its own
MAX_RETRIES = 100
_FULL = 100
_Message = benchmark_pb2.MeasurementPolicy


def policy_from_message(message: _Message) -> Policy:
    """Raises SpecInvalid with the field; nothing that must be there is filled in."""
    minimum = _duration(message, "min_duration", least=1)
    maximum = _duration(message, "max_duration", least=1)
    if maximum < minimum:
        raise _invalid("max_duration", "is less than policy.min_duration")
    return Policy(
        min_duration_ns=minimum,
        max_duration_ns=maximum,
        min_sample_count=_count(message, "min_sample_count", least=1),
        warmup_duration_ns=_duration(message, "warmup_duration", least=0),
        min_warmup_count=_count(message, "min_warmup_count", least=1),
        process_timeout_ns=_duration(message, "process_timeout", least=1),
        percentile_sample_count=_count(message, "percentile_sample_count", least=0),
        target_precision=_share(message, "target_precision"),
        max_retries=_count(message, "max_retries", least=0, most=MAX_RETRIES),
        memory_limit_bytes=_count(message, "memory_limit_bytes", least=0),
        steady_tolerance=_share(message, "steady_tolerance"),
        max_warmup_duration_ns=_needed_with(message, "max_warmup_duration", "steady_tolerance"),
        max_start_temperature_c=_temperature(
            message.max_start_temperature_celsius, "max_start_temperature_celsius"
        ),
        cooldown_timeout_ns=_needed_with(
            message, "cooldown_timeout", "max_start_temperature_celsius"
        ),
        job_timeout_ns=_job_timeout(message),
        health_gate=_health_gate(message.health_gate),
    )


def policy_to_message(policy: Policy) -> _Message:
    """What was not asked for is left out."""
    optional: dict[str, Any] = {
        "min_duration": duration_message(policy.min_duration_ns),
        "max_duration": duration_message(policy.max_duration_ns),
        "warmup_duration": duration_message(policy.warmup_duration_ns),
        "process_timeout": duration_message(policy.process_timeout_ns),
    }
    if policy.steady_tolerance:
        optional["max_warmup_duration"] = duration_message(policy.max_warmup_duration_ns)
    if policy.max_start_temperature_c:
        optional["cooldown_timeout"] = duration_message(policy.cooldown_timeout_ns)
    if policy.job_timeout_ns:
        optional["job_timeout"] = duration_message(policy.job_timeout_ns)
    if policy.health_gate != HealthGate():
        optional["health_gate"] = _health_gate_message(policy.health_gate)
    return _Message(
        min_sample_count=policy.min_sample_count,
        min_warmup_count=policy.min_warmup_count,
        steady_tolerance=policy.steady_tolerance,
        percentile_sample_count=policy.percentile_sample_count,
        target_precision=policy.target_precision,
        max_retries=policy.max_retries,
        memory_limit_bytes=policy.memory_limit_bytes,
        max_start_temperature_celsius=policy.max_start_temperature_c,
        **optional,
    )


def duration_message(nanoseconds: int) -> Duration:
    seconds, rest = divmod(nanoseconds, 10**9)
    return Duration(seconds=seconds, nanos=rest)


def _job_timeout(message: _Message) -> int:
    """0: none was asked for."""
    if not message.HasField("job_timeout"):
        return 0
    nanoseconds = message.job_timeout.seconds * 10**9 + message.job_timeout.nanos
    if not 0 <= nanoseconds <= MAX_JOB_DURATION_NS:
        raise _invalid("job_timeout", f"must be from 0 to a year, was {nanoseconds / 1e9:g} s")
    return nanoseconds


def _health_gate(message: benchmark_pb2.HealthGate) -> HealthGate:
    for name in ("min_disk_free_bytes", "min_memory_available_bytes"):
        if getattr(message, name) < 0:
            raise _invalid(
                f"health_gate.{name}", f"must be 0 or more, was {getattr(message, name)}"
            )
    percent, celsius = message.min_battery_percent, message.max_temperature_celsius
    if not 0 <= percent <= _FULL:  # refuses NaN too
        raise _invalid("health_gate.min_battery_percent", f"must be from 0 to 100, was {percent}")
    return HealthGate(
        min_disk_free_bytes=message.min_disk_free_bytes,
        min_memory_available_bytes=message.min_memory_available_bytes,
        min_battery_percent=percent,
        max_temperature_c=_temperature(celsius, "health_gate.max_temperature_celsius"),
    )


def _health_gate_message(gate: HealthGate) -> benchmark_pb2.HealthGate:
    return benchmark_pb2.HealthGate(
        min_disk_free_bytes=gate.min_disk_free_bytes,
        min_memory_available_bytes=gate.min_memory_available_bytes,
        min_battery_percent=gate.min_battery_percent,
        max_temperature_celsius=gate.max_temperature_c,
    )


def _needed_with(message: _Message, name: str, condition: str) -> int:
    """A duration that must be there where ``condition`` is set, and may not where it is not."""
    if getattr(message, condition):
        return _duration(message, name, least=0)
    if message.HasField(name):  # type: ignore[arg-type]
        raise _invalid(name, f"is there without policy.{condition}")
    return 0


def _duration(message: _Message, name: str, least: int) -> int:
    if not message.HasField(name):  # type: ignore[arg-type]
        raise _invalid(name, "is missing: the device fills in nothing")
    value: Duration = getattr(message, name)
    nanoseconds = value.seconds * 10**9 + value.nanos
    if not least <= nanoseconds <= MAX_DURATION_NS:
        above = "more than 0" if least else "0 or more"
        raise _invalid(name, f"must be {above} and at most a day, was {nanoseconds / 1e9:g} s")
    return nanoseconds


def _count(message: _Message, name: str, least: int, most: int | None = None) -> int:
    count: int = getattr(message, name)
    if count < least:
        raise _invalid(name, f"must be {least} or more, was {count} (or is missing)")
    if most is not None and count > most:
        raise _invalid(name, f"must be at most {most}, was {count}")
    return count


def _share(message: _Message, name: str) -> float:
    value: float = getattr(message, name)
    if not 0 <= value < 1:  # refuses NaN too
        raise _invalid(name, f"must be a share, from 0 to below 1, was {value}")
    return value


def _temperature(celsius: float, name: str) -> float:
    if not math.isfinite(celsius) or celsius < 0:
        raise _invalid(name, f"must be above 0, was {celsius}")
    return celsius


def _invalid(name: str, what: str) -> SpecInvalid:
    field = f"policy.{name}"
    return SpecInvalid(f"{field}: {what}", field=field)
