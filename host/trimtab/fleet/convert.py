"""Between protobuf messages and the host's own values.

What an agent says is made printable here, once: nothing of it may steer a terminal or forge a line.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trimtab_protos.digest import Digest
from trimtab_protos.errors import Failure, status_to_failure
from trimtab_protos.v1 import artifact_pb2, benchmark_pb2, device_pb2

from trimtab.fleet.convert_policy import duration_to_proto as duration_to_proto
from trimtab.fleet.convert_policy import job_policy
from trimtab.fleet.convert_sensors import readings, sensor_info, window
from trimtab.fleet.jobs import (
    ArmOutcome,
    ArmRequest,
    DeviceInfo,
    JobRequest,
    JobUpdate,
    Lease,
    RuntimeInfo,
    Samples,
    int64,
)
from trimtab.plain_text import cleaned, printable, without_controls
from trimtab.records import Check, MeasurementSettings, Outcome, TensorInfo

_OUTCOMES: dict[int, Outcome] = {
    benchmark_pb2.ValidityCheck.OUTCOME_PASSED: "passed",
    benchmark_pb2.ValidityCheck.OUTCOME_FAILED: "failed",
    benchmark_pb2.ValidityCheck.OUTCOME_NOT_APPLICABLE: "not_applicable",
}
_REDUCTIONS = {
    "none": benchmark_pb2.Evaluation.REDUCTION_NONE,
    "argmax": benchmark_pb2.Evaluation.REDUCTION_ARGMAX,
}
_MEMORY = (
    "runtime",
    "model",
    "load_peak",
    "peak",
    "retained",
    "peak_file_backed",
    "loaded",
    "model_file_backed",
    "arena",
)


def digest(message: artifact_pb2.Digest) -> Digest:
    return Digest(message.sha256, message.size_bytes)


def digest_to_proto(value: Digest) -> artifact_pb2.Digest:
    return artifact_pb2.Digest(sha256=value.sha256, size_bytes=value.size_bytes)


def device_info(message: device_pb2.DeviceInfo) -> DeviceInfo:
    clusters = message.cpu_clusters
    info = DeviceInfo(
        device_id=message.device_id,
        display_name=message.display_name,
        board_model=message.board_model,
        soc=message.soc,
        cpu_model=message.cpu_model,
        machine_arch=message.machine_arch,
        os_release=message.os_release,
        kernel_release=message.kernel_release,
        python_version=message.python_version,
        memory_bytes=message.memory_bytes,
        cpu_count=sum(len(cluster.cpu_ids) for cluster in clusters),
        max_frequency_hz=max((cluster.max_frequency_hz for cluster in clusters), default=0),
        agent_version=message.agent_version,
        boot_id=message.boot_id,
        tuning=dict(message.tuning),
        runtimes=tuple(_runtime(runtime) for runtime in message.runtimes),
        sensors=tuple(sensor_info(sensor) for sensor in message.sensors),
        max_chunk_bytes=message.max_chunk_bytes,
        hardware=dict(message.hardware),
        features=tuple(message.features),
    )
    return cleaned(info)


def submit_request(request: JobRequest) -> benchmark_pb2.SubmitJobRequest:
    settings = request.arms[0].settings
    spec = benchmark_pb2.BenchmarkSpec(
        arms=[_arm(arm) for arm in request.arms],
        inputs=digest_to_proto(request.inputs) if request.inputs else None,
        **_schedule(request),
        policy=job_policy(request),
        input_seed=settings.input_seed,
        evaluation=_evaluation(request),
        profile_operators=request.profile,
    )
    _set_scenario(spec, settings)
    return benchmark_pb2.SubmitJobRequest(
        request_id=request.request_id,
        spec=spec,
        lease_id=request.lease_id,
        holder=request.holder,
    )


def job_update(event: benchmark_pb2.JobEvent) -> JobUpdate:
    common: dict[str, Any] = {
        "sequence": event.sequence,
        "arm": without_controls(event.arm),
        "repeat_index": event.repeat_index,
        "phase": _enum_name(benchmark_pb2.Phase, event.phase, "PHASE_"),
    }
    kind = event.WhichOneof("kind")
    if kind == "state_changed":
        common["state"] = _state(event.state_changed.state)
    elif kind == "phase_started":
        common["repeat_count"] = event.phase_started.repeat_count
    elif kind == "sample_batch":
        batch = event.sample_batch
        common["samples"] = Samples(
            int64(batch.start_offset_ns), int64(batch.latency_ns), batch.block_index
        )
    elif kind == "sensor_batch":
        common["readings"] = cleaned(readings(event.sensor_batch))
    elif kind == "window":
        common["window"] = window(event)
    elif kind == "arm_finished":
        common["outcome"] = cleaned(_outcome(event.arm_finished.result))
        common["arm"] = without_controls(event.arm_finished.result.arm)
    elif kind == "log_line":
        common["log"] = (_severity(event.log_line.severity), printable(event.log_line.text))
    elif kind == "job_finished":
        job = event.job_finished.job
        common["terminal_state"] = _state(job.state)
        common["failure"] = cleaned(_failure(job))
    return JobUpdate(**common)


def job_update_from_bytes(event: bytes) -> JobUpdate:
    """Raises google.protobuf.message.DecodeError."""
    return job_update(benchmark_pb2.JobEvent.FromString(event))


def lease(message: device_pb2.Lease) -> Lease:
    remaining_s = message.remaining.ToNanoseconds() / 1e9
    return Lease(message.lease_id, printable(message.holder), remaining_s)


def _schedule(request: JobRequest) -> dict[str, Any]:
    if request.support_check:
        return {"support_check": benchmark_pb2.SupportCheck()}
    repeats, blocks = request.arms[0].settings.repeats, request.interleaved
    if blocks is None:
        return {"round_robin": benchmark_pb2.RoundRobin(repeat_count=repeats)}
    interleaved = benchmark_pb2.Interleaved(
        repeat_count=repeats,
        blocks_per_repeat=blocks.blocks,
        block_duration=duration_to_proto(blocks.block_duration_s),
        discard_count=blocks.discard_count,
    )
    return {"interleaved": interleaved}


def _arm(arm: ArmRequest) -> benchmark_pb2.Arm:
    return benchmark_pb2.Arm(
        name=arm.name,
        files=[
            benchmark_pb2.ArtifactFile(name=file.name, digest=digest_to_proto(file.digest))
            for file in arm.artifact.files
        ],
        runtime=arm.settings.runtime,
        accelerator=arm.settings.accelerator,
        thread_count=arm.settings.threads,
        runtime_options=dict(arm.settings.runtime_options),
        format=arm.artifact.format,
        input_shapes=[
            benchmark_pb2.InputShape(name=name, dimensions=shape)
            for name, shape in arm.settings.input_shapes.items()
        ],
        cpu_affinity=arm.settings.cpu_affinity,
    )


def _set_scenario(spec: benchmark_pb2.BenchmarkSpec, settings: MeasurementSettings) -> None:
    if settings.batch_size is not None:
        spec.offline.batch_size = settings.batch_size
    elif settings.rate_hz is not None:
        spec.periodic.rate_hz = settings.rate_hz
    elif settings.sustain_s is not None:
        spec.sustained.duration.CopyFrom(duration_to_proto(settings.sustain_s))
    else:
        spec.single_stream.SetInParent()


def _evaluation(request: JobRequest) -> benchmark_pb2.Evaluation | None:
    if request.evaluation is None:
        return None
    return benchmark_pb2.Evaluation(
        inputs=digest_to_proto(request.evaluation.digest),
        reduction=_REDUCTIONS[request.reduction],
    )


def _outcome(result: benchmark_pb2.ArmResult) -> ArmOutcome:
    memory = {
        name: getattr(result.memory, f"{name}_bytes")
        for name in _MEMORY
        if result.memory.HasField(f"{name}_bytes")  # type: ignore[arg-type]
    }
    has_outputs = result.HasField("evaluation_outputs")
    has_profile = result.HasField("operator_profile")
    return ArmOutcome(
        checks=tuple(_check(check) for check in result.checks),
        load_ns=tuple(result.load_duration_ns),
        first_inference_ns=tuple(result.first_inference_duration_ns),
        io_ns=tuple(result.io_duration_ns),
        memory_bytes=memory,
        conditions=dict(result.conditions),
        accelerator_used=result.accelerator_used,
        runtime_version=result.runtime_version,
        runtime_package=result.runtime_package,
        unavailable=dict(result.unavailable),
        inputs=tuple(_tensor(tensor) for tensor in result.inputs),
        outputs=tuple(_tensor(tensor) for tensor in result.outputs),
        sample_count=result.sample_count,
        evaluation_outputs=digest(result.evaluation_outputs) if has_outputs else None,
        evaluation_failure=(
            status_to_failure(result.evaluation_error)
            if result.HasField("evaluation_error")
            else None
        ),
        failure=_failure(result),
        operator_profile=digest(result.operator_profile) if has_profile else None,
        operators=_operators(result.operators),
        sensors=tuple(sensor_info(sensor) for sensor in result.sensors),
    )


def _operators(counts: Iterable[benchmark_pb2.OperatorCount]) -> dict[str, dict[str, int]]:
    places: dict[str, dict[str, int]] = {}
    for each in counts:
        places.setdefault(each.ran_on, {})[each.type] = each.count
    return places


def _failure(message: benchmark_pb2.ArmResult | benchmark_pb2.Job) -> Failure | None:
    return status_to_failure(message.error) if message.HasField("error") else None


def _check(check: benchmark_pb2.ValidityCheck) -> Check:
    return Check(
        name=check.name,
        outcome=_OUTCOMES.get(check.outcome, "unknown"),
        invalidates=check.invalidates,
        metrics=tuple(check.metrics),
        seen=check.seen,
        advice=check.advice,
    )


def _tensor(tensor: benchmark_pb2.TensorInfo) -> TensorInfo:
    return TensorInfo(tensor.name, tensor.dtype, tuple(tensor.dimensions))


def _runtime(runtime: device_pb2.RuntimeInfo) -> RuntimeInfo:
    return RuntimeInfo(
        name=runtime.name,
        version=runtime.version,
        package=runtime.package,
        formats=tuple(runtime.model_formats),
        accelerators=tuple(runtime.accelerators),
        unavailable_reason=runtime.unavailable_reason,
        absent_accelerators=dict(runtime.absent_accelerators),
    )


def _state(value: int) -> str:
    return _enum_name(benchmark_pb2.Job.State, value, "STATE_")


def _severity(value: int) -> str:
    return _enum_name(benchmark_pb2.LogLine.Severity, value, "SEVERITY_")


def _enum_name(enum: Any, value: int, prefix: str) -> str:
    """Empty for "unspecified" and for a value that only a newer agent knows."""
    if value == 0 or value not in enum.values():
        return ""
    return str(enum.Name(value)).removeprefix(prefix).lower()
