"""Records to protobuf: what the agent says. What it is asked stands in ``convert_spec.py``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from trimtab_protos.errors import failure_to_status
from trimtab_protos.v1 import benchmark_pb2, device_pb2

from trimtab_agent.convert_sensors import sensor_message, set_sensor_batch, set_window
from trimtab_agent.convert_spec import digest_to_message, spec_to_message
from trimtab_agent.features import FEATURES
from trimtab_agent.job_record import JobView
from trimtab_agent.records import (
    ArmFinished,
    ArmResult,
    Check,
    DeviceInfo,
    Event,
    JobFinished,
    JobState,
    LogLine,
    MemoryUse,
    Outcome,
    Phase,
    PhaseStarted,
    SampleBatch,
    SensorBatch,
    Severity,
    StateChanged,
    TensorInfo,
    Window,
)

_Job = benchmark_pb2.Job
_Check = benchmark_pb2.ValidityCheck
_LogLine = benchmark_pb2.LogLine

_STATES: Mapping[JobState, Any] = {
    "pending": _Job.STATE_PENDING,
    "preparing": _Job.STATE_PREPARING,
    "cooling": _Job.STATE_COOLING,
    "warming_up": _Job.STATE_WARMING_UP,
    "measuring": _Job.STATE_MEASURING,
    "succeeded": _Job.STATE_SUCCEEDED,
    "failed": _Job.STATE_FAILED,
    "cancelled": _Job.STATE_CANCELLED,
}
_PHASES: Mapping[Phase | None, Any] = {
    None: benchmark_pb2.PHASE_UNSPECIFIED,
    "load": benchmark_pb2.PHASE_LOAD,
    "first_inference": benchmark_pb2.PHASE_FIRST_INFERENCE,
    "warm_up": benchmark_pb2.PHASE_WARM_UP,
    "measure": benchmark_pb2.PHASE_MEASURE,
    "memory": benchmark_pb2.PHASE_MEMORY,
    "evaluate": benchmark_pb2.PHASE_EVALUATE,
    "profile": benchmark_pb2.PHASE_PROFILE,
    "idle": benchmark_pb2.PHASE_IDLE,
}
_OUTCOMES: Mapping[Outcome, Any] = {
    "passed": _Check.OUTCOME_PASSED,
    "failed": _Check.OUTCOME_FAILED,
    "unknown": _Check.OUTCOME_UNKNOWN,
    "not_applicable": _Check.OUTCOME_NOT_APPLICABLE,
}
_SEVERITIES: Mapping[Severity, Any] = {
    "info": _LogLine.SEVERITY_INFO,
    "warning": _LogLine.SEVERITY_WARNING,
    "error": _LogLine.SEVERITY_ERROR,
}


def device_to_message(
    info: DeviceInfo, agent_version: str, max_chunk_bytes: int
) -> device_pb2.DeviceInfo:
    message = device_pb2.DeviceInfo(
        cpu_clusters=[
            device_pb2.CpuCluster(
                core_type=cluster.core_type,
                cpu_ids=cluster.cpu_ids,
                max_frequency_hz=cluster.max_frequency_hz,
            )
            for cluster in info.cpu_clusters
        ],
        runtimes=[
            device_pb2.RuntimeInfo(
                name=runtime.name,
                version=runtime.version,
                package=runtime.package,
                model_formats=runtime.model_formats,
                accelerators=runtime.accelerators,
                unavailable_reason=runtime.unavailable_reason,
                absent_accelerators=runtime.absent_accelerators,
            )
            for runtime in info.runtimes
        ],
        sensors=[sensor_message(sensor) for sensor in info.sensors],
        agent_version=agent_version,
        max_chunk_bytes=max_chunk_bytes,
        features=FEATURES,
        tuning=info.tuning,
        hardware=info.hardware,
    )
    for name in _DEVICE_FACTS:
        setattr(message, name, getattr(info, name))
    return message


_DEVICE_FACTS = (
    "device_id",
    "display_name",
    "board_model",
    "soc",
    "machine_arch",
    "os_release",
    "kernel_release",
    "memory_bytes",
    "boot_id",
    "python_version",
    "cpu_model",
)


def job_to_message(
    job: JobView, with_result: bool = True, queue_position: int = 0
) -> benchmark_pb2.Job:
    message = _Job(
        job_id=job.job_id,
        state=_STATES[job.state],
        spec=spec_to_message(job.spec),
        create_time=_timestamp(job.create_time_ns),
        last_sequence=job.last_sequence,
        request_id=job.request_id,
        acknowledged=job.acknowledged,
        holder=job.holder,
        queue_position=queue_position,
    )
    if job.start_time_ns is not None:
        message.start_time.CopyFrom(_timestamp(job.start_time_ns))
    if job.end_time_ns is not None:
        message.end_time.CopyFrom(_timestamp(job.end_time_ns))
    if job.failure is not None:
        message.error.CopyFrom(failure_to_status(job.failure))
    if with_result and job.is_terminal:
        message.result.arms.extend(_arm_result_message(arm) for arm in job.arms)
    return message


def event_to_message(event: Event, job: JobView) -> benchmark_pb2.JobEvent:
    """``job`` is the job as it stands; only a JobFinished event carries it."""
    message = benchmark_pb2.JobEvent(
        sequence=event.sequence,
        event_time=_timestamp(event.time_unix_ns),
        arm=event.arm,
        repeat_index=event.repeat_index,
        phase=_PHASES[event.phase],
    )
    _set_kind(message, event.kind, job)
    return message


def _set_kind(message: benchmark_pb2.JobEvent, kind: object, job: JobView) -> None:
    if isinstance(kind, StateChanged):
        message.state_changed.state = _STATES[kind.state]
    elif isinstance(kind, PhaseStarted):
        message.phase_started.repeat_count = kind.repeat_count
    elif isinstance(kind, SampleBatch):
        message.sample_batch.start_offset_ns.extend(kind.start_offset_ns)
        message.sample_batch.latency_ns.extend(kind.latency_ns)
        message.sample_batch.block_index = kind.block_index
    elif isinstance(kind, SensorBatch):
        set_sensor_batch(message, kind)
    elif isinstance(kind, Window):
        set_window(message, kind)
    elif isinstance(kind, MemoryUse):
        message.memory_measured.CopyFrom(_memory_message(kind))
    elif isinstance(kind, LogLine):
        message.log_line.severity = _SEVERITIES[kind.severity]
        message.log_line.text = kind.text
    elif isinstance(kind, ArmFinished):
        message.arm_finished.result.CopyFrom(_arm_result_message(kind.result))
    elif isinstance(kind, JobFinished):
        message.job_finished.job.CopyFrom(job_to_message(job))


def _arm_result_message(result: ArmResult) -> benchmark_pb2.ArmResult:
    message = benchmark_pb2.ArmResult(
        arm=result.arm,
        checks=[_check_message(check) for check in result.checks],
        sample_count=result.sample_count,
        load_duration_ns=result.load_duration_ns,
        first_inference_duration_ns=result.first_inference_duration_ns,
        io_duration_ns=result.io_duration_ns,
        memory=_memory_message(result.memory),
        conditions=result.conditions,
        accelerator_used=result.accelerator_used,
        runtime_version=result.runtime_version,
        runtime_package=result.runtime_package,
        unavailable=result.unavailable,
        inputs=[_tensor_message(tensor) for tensor in result.inputs],
        outputs=[_tensor_message(tensor) for tensor in result.outputs],
        operators=[
            benchmark_pb2.OperatorCount(ran_on=place, type=kind, count=count)
            for place, types in result.operators.items()
            for kind, count in types.items()
        ],
        sensors=[sensor_message(sensor) for sensor in result.sensors],
    )
    if result.evaluation_outputs is not None:
        message.evaluation_outputs.CopyFrom(digest_to_message(result.evaluation_outputs))
    if result.operator_profile is not None:
        message.operator_profile.CopyFrom(digest_to_message(result.operator_profile))
    if result.evaluation_failure is not None:
        message.evaluation_error.CopyFrom(failure_to_status(result.evaluation_failure))
    if result.failure is not None:
        message.error.CopyFrom(failure_to_status(result.failure))
    return message


def _check_message(check: Check) -> benchmark_pb2.ValidityCheck:
    return _Check(
        name=check.name,
        outcome=_OUTCOMES[check.outcome],
        invalidates=check.invalidates,
        metrics=check.metrics,
        seen=check.seen,
        advice=check.advice,
    )


def _memory_message(use: MemoryUse) -> benchmark_pb2.MemoryUse:
    return benchmark_pb2.MemoryUse(
        runtime_bytes=use.runtime_bytes,
        model_bytes=use.model_bytes,
        load_peak_bytes=use.load_peak_bytes,
        peak_bytes=use.peak_bytes,
        retained_bytes=use.retained_bytes,
        peak_file_backed_bytes=use.peak_file_backed_bytes,
        loaded_bytes=use.loaded_bytes,
        model_file_backed_bytes=use.model_file_backed_bytes,
        arena_bytes=use.arena_bytes,
    )


def _tensor_message(tensor: TensorInfo) -> benchmark_pb2.TensorInfo:
    return benchmark_pb2.TensorInfo(
        name=tensor.name, dtype=tensor.dtype, dimensions=tensor.dimensions
    )


def _timestamp(unix_ns: int) -> Timestamp:
    seconds, nanos = divmod(unix_ns, 10**9)
    return Timestamp(seconds=seconds, nanos=nanos)
