"""What a host may ask for, and how each wrong value is refused by the name of its field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from trimtab_agent.convert import event_to_message, job_to_message
from trimtab_agent.convert_spec import spec_from_message, spec_to_message
from trimtab_agent.job_record import JobView
from trimtab_agent.records import (
    ArmFinished,
    ArmResult,
    BlockSchedule,
    Event,
    HealthGate,
    JobFinished,
    LogLine,
    MemoryUse,
    PhaseStarted,
    SampleBatch,
    StateChanged,
)
from trimtab_protos.digest import digest_bytes
from trimtab_protos.errors import NotServed, SpecInvalid, status_to_failure
from trimtab_protos.failure import Failure
from trimtab_protos.v1 import artifact_pb2, benchmark_pb2

Evaluation = benchmark_pb2.Evaluation
Spec = benchmark_pb2.BenchmarkSpec
_DIGEST = digest_bytes(b"model")


def digest_message() -> artifact_pb2.Digest:
    return artifact_pb2.Digest(sha256=_DIGEST.sha256, size_bytes=_DIGEST.size_bytes)


@pytest.fixture
def spec() -> Any:
    """A specification that uses everything that is served."""
    spec = Spec(
        round_robin=benchmark_pb2.RoundRobin(repeat_count=3),
        single_stream=benchmark_pb2.SingleStream(),
        inputs=digest_message(),
        input_seed=7,
    )
    for name in ("float", "int8"):
        arm = spec.arms.add(
            name=name,
            runtime="onnxruntime",
            accelerator="cpu",
            thread_count=2,
            format="onnx",
            runtime_options={"graph_optimization": "all"},
        )
        arm.files.add(name="model.onnx", digest=digest_message())
        arm.files.add(name="weights.bin", digest=digest_message())
        arm.input_shapes.add(name="x", dimensions=[1, 3, 8, 8])
        arm.cpu_affinity.extend([1, 3])
    spec.policy.min_duration.FromMilliseconds(500)
    spec.policy.max_duration.FromSeconds(20)
    spec.policy.warmup_duration.FromMilliseconds(200)
    spec.policy.process_timeout.FromSeconds(300)
    spec.policy.min_sample_count = 100
    spec.policy.min_warmup_count = 5
    spec.policy.steady_tolerance = 0.05
    spec.policy.max_warmup_duration.FromSeconds(1)
    spec.policy.percentile_sample_count = 221
    spec.policy.target_precision = 0.02
    spec.policy.max_retries = 2
    spec.policy.memory_limit_bytes = 10**8
    spec.policy.max_start_temperature_celsius = 55.5
    spec.policy.cooldown_timeout.FromSeconds(60)
    spec.evaluation.inputs.CopyFrom(digest_message())
    spec.evaluation.reduction = Evaluation.REDUCTION_ARGMAX
    return spec


def test_a_served_specification_survives_both_ways(spec: Any) -> None:
    record = spec_from_message(spec)
    assert record.repeat_count == 3
    assert record.policy.min_duration_ns == 500_000_000
    assert record.arms[1].input_shapes == {"x": (1, 3, 8, 8)}
    assert record.arms[1].cpu_affinity == (1, 3)
    assert record.policy.max_start_temperature_c == 55.5
    assert record.policy.cooldown_timeout_ns == 60 * 10**9
    assert record.evaluation is not None
    assert record.evaluation.reduction == "argmax"
    assert spec_to_message(record) == spec


def test_time_limit_and_health_gate_survive_both_ways(spec: Any) -> None:
    spec.policy.job_timeout.FromSeconds(90)
    gate = spec.policy.health_gate
    gate.min_disk_free_bytes, gate.min_memory_available_bytes = 10**9, 10**8
    gate.min_battery_percent, gate.max_temperature_celsius = 40, 65.5
    policy = spec_from_message(spec).policy
    assert policy.job_timeout_ns == 90 * 10**9
    assert policy.health_gate == HealthGate(10**9, 10**8, 40, 65.5)
    assert spec_to_message(spec_from_message(spec)) == spec


def test_scenarios_and_the_profile_survive_both_ways(spec: Any) -> None:
    spec.profile_operators = True
    spec.offline.batch_size = 8
    record = spec_from_message(spec)
    assert (record.batch_size, record.rate_hz, record.profile_operators) == (8, None, True)
    assert spec_to_message(record) == spec
    spec.periodic.rate_hz = 29.97
    record = spec_from_message(spec)
    assert (record.batch_size, record.rate_hz) == (None, 29.97)
    assert spec_to_message(record) == spec
    spec.sustained.duration.FromSeconds(600)
    record = spec_from_message(spec)
    assert (record.rate_hz, record.sustain_ns) == (None, 600 * 10**9)
    assert spec_to_message(record) == spec


def make_interleaved(spec: Any) -> None:
    spec.ClearField("evaluation")
    spec.interleaved.repeat_count = 6
    spec.interleaved.blocks_per_repeat = 12
    spec.interleaved.block_duration.FromMilliseconds(20)
    spec.interleaved.discard_count = 2


def test_a_support_check_survives_both_ways_and_has_no_other_scenario(spec: Any) -> None:
    spec.ClearField("evaluation")
    spec.support_check.SetInParent()
    spec.single_stream.SetInParent()
    found = spec_from_message(spec)
    assert found.support_only
    assert spec_from_message(spec_to_message(found)) == found
    spec.offline.batch_size = 2
    with pytest.raises(SpecInvalid, match="scenario"):
        spec_from_message(spec)


def test_an_interleaved_specification_survives_both_ways(spec: Any) -> None:
    make_interleaved(spec)
    record = spec_from_message(spec)
    assert record.repeat_count == 6
    assert record.blocks == BlockSchedule(12, 20_000_000, 2)
    assert spec_to_message(record) == spec


INTERLEAVED_WRONG: list[tuple[str, Callable[[Any], object]]] = [
    ("arms", lambda s: s.arms.pop()),
    ("arms", lambda s: s.arms.add(name="third").MergeFrom(third_arm(s))),
    ("evaluation", lambda s: s.evaluation.inputs.CopyFrom(digest_message())),
    ("periodic", lambda s: setattr(s.periodic, "rate_hz", 30.0)),
    ("sustained", lambda s: s.sustained.duration.FromSeconds(60)),
    ("profile_operators", lambda s: setattr(s, "profile_operators", True)),
    ("interleaved.repeat_count", lambda s: s.interleaved.ClearField("repeat_count")),
    ("interleaved.blocks_per_repeat", lambda s: s.interleaved.ClearField("blocks_per_repeat")),
    ("interleaved.block_duration", lambda s: s.interleaved.ClearField("block_duration")),
    ("interleaved.block_duration", lambda s: s.interleaved.block_duration.FromSeconds(3600)),
    ("interleaved.discard_count", lambda s: setattr(s.interleaved, "discard_count", -1)),
]


def third_arm(spec: Any) -> Any:
    arm = benchmark_pb2.Arm()
    arm.CopyFrom(spec.arms[0])
    arm.name = "third"
    return arm


@pytest.mark.parametrize(("field", "change"), INTERLEAVED_WRONG)
def test_a_wrong_interleaved_schedule_is_refused_by_its_field(
    spec: Any, field: str, change: Callable[[Any], object]
) -> None:
    make_interleaved(spec)
    change(spec)
    if field == "evaluation":
        spec.evaluation.reduction = Evaluation.REDUCTION_ARGMAX
    with pytest.raises(SpecInvalid) as caught:
        spec_from_message(spec)
    assert caught.value.metadata == {"field": field}


Change = Callable[[Any], object]

WRONG: list[tuple[str, Change]] = [
    ("arms", lambda s: s.ClearField("arms")),
    ("arms", lambda s: setattr(s.arms[1], "name", "float")),
    ("arms", lambda s: [s.arms.add().CopyFrom(s.arms[0]) for _ in range(300)]),
    ("arms[1].name", lambda s: setattr(s.arms[1], "name", "")),
    ("arms[0].name", lambda s: setattr(s.arms[0], "name", "bell\x07")),
    ("arms[0].name", lambda s: setattr(s.arms[0], "name", "n" * 300)),
    ("arms[0].runtime", lambda s: s.arms[0].ClearField("runtime")),
    ("arms[0].accelerator", lambda s: s.arms[0].ClearField("accelerator")),
    ("arms[0].format", lambda s: s.arms[0].ClearField("format")),
    ("arms[1].thread_count", lambda s: setattr(s.arms[1], "thread_count", 0)),
    ("arms[1].thread_count", lambda s: setattr(s.arms[1], "thread_count", -1)),
    ("arms[0].files", lambda s: s.arms[0].ClearField("files")),
    ("arms[0].files", lambda s: setattr(s.arms[0].files[1], "name", "model.onnx")),
    *[
        ("arms[0].files[1].name", lambda s, name=name: setattr(s.arms[0].files[1], "name", name))
        for name in ("", ".", "..", "a/b", "/etc/passwd", "..\\x", "nul\0", "n" * 256, "ü" * 128)
    ],
    ("arms[0].files[0].digest", lambda s: s.arms[0].files[0].ClearField("digest")),
    ("arms[0].files[0].digest", lambda s: setattr(s.arms[0].files[0].digest, "sha256", "AB")),
    ("arms[0].files[0].digest", lambda s: setattr(s.arms[0].files[0].digest, "size_bytes", -1)),
    ("arms[0].runtime_options", lambda s: s.arms[0].runtime_options.update({"": "x"})),
    ("arms[0].input_shapes", lambda s: s.arms[0].input_shapes.add(name="x")),
    (
        "arms[0].input_shapes[0].dimensions",
        lambda s: s.arms[0].input_shapes[0].dimensions.append(0),
    ),
    ("schedule", lambda s: s.ClearField("round_robin")),
    ("scenario", lambda s: s.ClearField("single_stream")),
    ("round_robin.repeat_count", lambda s: setattr(s.round_robin, "repeat_count", 0)),
    ("round_robin.repeat_count", lambda s: setattr(s.round_robin, "repeat_count", 1000)),
    ("offline.batch_size", lambda s: s.offline.SetInParent()),
    ("offline.batch_size", lambda s: setattr(s.offline, "batch_size", -1)),
    ("sustained.duration", lambda s: s.sustained.SetInParent()),
    ("sustained.duration", lambda s: s.sustained.duration.FromSeconds(86_401)),
    ("sustained.duration", lambda s: s.sustained.duration.FromMilliseconds(999)),
    *[
        ("periodic.rate_hz", lambda s, rate=rate: setattr(s.periodic, "rate_hz", rate))
        for rate in (0.0, -1.0, 1e9, float("nan"))
    ],
    ("input_seed", lambda s: setattr(s, "input_seed", -1)),
    ("inputs", lambda s: setattr(s.inputs, "sha256", "")),
    ("evaluation.inputs", lambda s: s.evaluation.ClearField("inputs")),
    ("evaluation.reduction", lambda s: s.evaluation.ClearField("reduction")),
    ("policy.min_duration", lambda s: s.ClearField("policy")),
    *[
        (f"policy.{name}", lambda s, name=name: s.policy.ClearField(name))
        for name in (
            "min_duration",
            "max_duration",
            "warmup_duration",
            "process_timeout",
            "min_sample_count",
            "min_warmup_count",
        )
    ],
    ("arms[0].cpu_affinity", lambda s: s.arms[0].cpu_affinity.append(1)),
    ("arms[0].cpu_affinity", lambda s: s.arms[0].cpu_affinity.append(-1)),
    ("policy.max_warmup_duration", lambda s: s.policy.ClearField("max_warmup_duration")),
    ("policy.max_warmup_duration", lambda s: s.policy.ClearField("steady_tolerance")),
    ("policy.cooldown_timeout", lambda s: s.policy.ClearField("cooldown_timeout")),
    ("policy.cooldown_timeout", lambda s: s.policy.ClearField("max_start_temperature_celsius")),
    ("policy.steady_tolerance", lambda s: setattr(s.policy, "steady_tolerance", 1.0)),
    ("policy.target_precision", lambda s: setattr(s.policy, "target_precision", float("nan"))),
    ("policy.percentile_sample_count", lambda s: setattr(s.policy, "percentile_sample_count", -1)),
    ("policy.max_retries", lambda s: setattr(s.policy, "max_retries", 1000)),
    ("policy.memory_limit_bytes", lambda s: setattr(s.policy, "memory_limit_bytes", -1)),
    (
        "policy.max_start_temperature_celsius",
        lambda s: setattr(s.policy, "max_start_temperature_celsius", float("inf")),
    ),
    ("policy.min_duration", lambda s: s.policy.min_duration.FromSeconds(0)),
    ("policy.min_duration", lambda s: s.policy.min_duration.FromSeconds(-1)),
    ("policy.max_duration", lambda s: s.policy.max_duration.FromMilliseconds(1)),
    ("policy.process_timeout", lambda s: s.policy.process_timeout.FromSeconds(10**6)),
    ("policy.job_timeout", lambda s: s.policy.job_timeout.FromSeconds(-1)),
    ("policy.job_timeout", lambda s: s.policy.job_timeout.FromSeconds(10**9)),
    *[
        (
            f"policy.health_gate.{name}",
            lambda s, name=name, value=value: setattr(s.policy.health_gate, name, value),
        )
        for name, value in (
            ("min_disk_free_bytes", -1),
            ("min_memory_available_bytes", -1),
            ("min_battery_percent", 101.0),
            ("min_battery_percent", float("nan")),
            ("max_temperature_celsius", -1.0),
            ("max_temperature_celsius", float("inf")),
        )
    ],
]


@pytest.mark.parametrize(("field", "change"), WRONG)
def test_a_wrong_value_is_refused_by_its_field(spec: Any, field: str, change: Change) -> None:
    change(spec)
    with pytest.raises(SpecInvalid) as caught:
        spec_from_message(spec)
    assert caught.value.metadata == {"field": field}
    assert caught.value.message.startswith(f"{field}: ")
    assert caught.value.message.isprintable()


UNSERVED: list[tuple[str, Change]] = [
    ("sensors", lambda s: s.sensors.append("board")),
    ("top-5", lambda s: setattr(s.evaluation, "reduction", Evaluation.REDUCTION_TOP5)),
]


@pytest.mark.parametrize(("what", "change"), UNSERVED)
def test_what_is_not_served_yet_is_said(spec: Any, what: str, change: Change) -> None:
    change(spec)
    with pytest.raises(NotServed, match=what):
        spec_from_message(spec)


@pytest.fixture
def job(spec: Any) -> JobView:
    failed = Failure("resources", "out of memory")
    arms = (
        ArmResult("float", sample_count=3, unavailable={"energy_mj": "no sensor"}),
        ArmResult("int8", evaluation_outputs=_DIGEST, evaluation_failure=failed, failure=failed),
    )
    return JobView(
        "000001-ab",
        "request",
        spec_from_message(spec),
        create_time_ns=1_700_000_000_123_456_789,
        state="succeeded",
        end_time_ns=1_700_000_001_000_000_000,
        arms=arms,
        last_sequence=9,
    )


def test_a_job_says_whose_it_is_and_how_many_come_before_it(job: JobView) -> None:
    message = job_to_message(replace(job, holder="ann"), queue_position=3)
    assert (message.holder, message.queue_position) == ("ann", 3)


def test_a_job_says_everything_it_knows(job: JobView, spec: Any) -> None:
    message = job_to_message(job)
    assert message.spec == spec
    assert message.state == benchmark_pb2.Job.STATE_SUCCEEDED
    assert message.create_time.ToNanoseconds() == job.create_time_ns
    assert not message.HasField("start_time")
    assert not message.HasField("error")
    good, bad = message.result.arms
    assert good.unavailable == {"energy_mj": "no sensor"}
    assert not good.memory.HasField("peak_bytes")
    assert not good.HasField("evaluation_outputs")
    assert status_to_failure(bad.error) == Failure("resources", "out of memory")
    assert status_to_failure(bad.evaluation_error).failure_class == "resources"
    assert bad.evaluation_outputs == digest_message()
    assert not job_to_message(job, with_result=False).HasField("result")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (StateChanged("measuring"), "state_changed"),
        (PhaseStarted(3), "phase_started"),
        (SampleBatch((1, 2), (30, 40)), "sample_batch"),
        (MemoryUse(peak_bytes=5), "memory_measured"),
        (LogLine("warning", "hot"), "log_line"),
        (ArmFinished(ArmResult("float")), "arm_finished"),
        (JobFinished("succeeded", None, ()), "job_finished"),
    ],
)
def test_every_kind_of_event_has_its_message(job: JobView, kind: Any, name: str) -> None:
    event = Event(4, 1_700_000_000_000_000_000, kind, "float", 2, "measure")
    message = event_to_message(event, job)
    assert message.WhichOneof("kind") == name
    assert (message.sequence, message.arm, message.repeat_index) == (4, "float", 2)
    assert message.phase == benchmark_pb2.PHASE_MEASURE
    if name == "sample_batch":
        assert list(message.sample_batch.latency_ns) == [30, 40]
    if name == "memory_measured":
        assert message.memory_measured.peak_bytes == 5
        assert not message.memory_measured.HasField("model_bytes")
