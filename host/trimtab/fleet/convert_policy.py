"""The measuring policy as the device is told it: every figure, nothing left for it to fill in."""

from __future__ import annotations

import math

from google.protobuf.duration_pb2 import Duration
from trimtab_protos.v1 import benchmark_pb2

from trimtab.fleet.jobs import HealthGate, JobRequest
from trimtab.measure_policies import samples_for_percentile
from trimtab.records import MeasurementSettings

_BYTES_PER_MB = 1_000_000


def policy_to_proto(settings: MeasurementSettings) -> benchmark_pb2.MeasurementPolicy:
    needed = samples_for_percentile(settings.percentile)
    policy = benchmark_pb2.MeasurementPolicy(
        min_duration=duration_to_proto(settings.min_duration_s),
        max_duration=duration_to_proto(settings.max_duration_s),
        min_sample_count=settings.min_samples,
        warmup_duration=duration_to_proto(settings.warmup_s),
        min_warmup_count=settings.min_warmup,
        process_timeout=duration_to_proto(settings.process_timeout_s),
        steady_tolerance=settings.steady_tolerance,
        percentile_sample_count=math.ceil(needed / settings.repeats),
        target_precision=settings.target_precision or 0.0,
        max_retries=settings.max_retries,
        memory_limit_bytes=round((settings.memory_limit_mb or 0.0) * _BYTES_PER_MB),
    )
    if settings.steady_tolerance:
        policy.max_warmup_duration.CopyFrom(duration_to_proto(settings.max_warmup_s))
    if settings.max_start_temperature_c is not None:
        policy.max_start_temperature_celsius = settings.max_start_temperature_c
        policy.cooldown_timeout.CopyFrom(duration_to_proto(settings.cooldown_timeout_s))
    return policy


def job_policy(request: JobRequest) -> benchmark_pb2.MeasurementPolicy:
    """The first arm's settings, and what holds for the job as a whole."""
    policy = policy_to_proto(request.arms[0].settings)
    if request.timeout_s:
        policy.job_timeout.CopyFrom(duration_to_proto(request.timeout_s))
    health = request.health
    if health != HealthGate():
        policy.health_gate.min_disk_free_bytes = round(health.min_disk_free_mb * _BYTES_PER_MB)
        policy.health_gate.min_memory_available_bytes = round(health.min_memory_mb * _BYTES_PER_MB)
        policy.health_gate.min_battery_percent = health.min_battery_percent
        policy.health_gate.max_temperature_celsius = health.max_temperature_c
    return policy


def duration_to_proto(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration
