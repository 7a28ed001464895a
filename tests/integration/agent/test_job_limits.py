"""What one caller and one job may ask of a real agent, and what the device must be like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from board_trees import plant_board
from grpc_health.v1 import health_pb2, health_pb2_grpc
from trimtab_protos.errors import RateLimited, SpecInvalid, TrimtabError, status_to_failure
from trimtab_protos.v1 import artifact_pb2, benchmark_pb2, device_pb2

Job = benchmark_pb2.Job
ErrorOf = Callable[[Callable[[], object]], TrimtabError]


@pytest.fixture
def null_spec(make_spec: Any) -> Callable[..., Any]:
    def make(client: Any, min_duration_s: float = 0.05) -> Any:
        models = {"arm": (client.upload(b"any"), "any.onnx")}
        return make_spec(models, "null", repeats=1, min_duration_s=min_duration_s)

    return make


def test_a_job_beyond_its_time_ends_and_keeps_what_was_finished(
    start_agent: Any, connect: Any, make_spec: Any
) -> None:
    agent = start_agent()
    client = connect(agent.address)
    any_file = (client.upload(b"not a model"), "any.onnx")
    spec = make_spec({"refused": any_file, "slow": any_file}, min_duration_s=60, repeats=1)
    spec.arms[1].runtime = "null"
    # Else it soon has all the samples that a repeat may have.
    spec.arms[1].runtime_options["rounds"] = "2000"
    spec.policy.job_timeout.FromSeconds(8)
    job = client.finished(client.submit(spec))
    assert job.state == Job.STATE_FAILED
    failure = status_to_failure(job.error)
    assert failure.failure_class == "resources"
    assert "its limit of 8 s" in failure.message
    (finished,) = job.result.arms
    assert finished.arm == "refused"
    assert status_to_failure(finished.error).failure_class == "model"
    assert 8 <= (job.end_time.ToNanoseconds() - job.start_time.ToNanoseconds()) / 1e9 < 40
    assert psutil.Process(agent.pid).children(recursive=True) == []
    assert list((agent.state / "scratch").glob("0*")) == []


def test_no_job_exceeds_what_the_agent_gives_any(
    start_agent: Any, connect: Any, null_spec: Any, error_of: ErrorOf
) -> None:
    client = connect(start_agent("--max-job-hours", "0.001").address)  # 3.6 s
    error = error_of(lambda: client.submit(null_spec(client, min_duration_s=5)))
    assert isinstance(error, SpecInvalid)
    assert "this agent gives one job 0.001 h at most" in error.message
    spec = null_spec(client, min_duration_s=3)
    spec.policy.max_warmup_duration.FromSeconds(600)
    spec.policy.steady_tolerance = 1e-12
    spec.policy.job_timeout.FromSeconds(3600)
    failure = status_to_failure(client.finished(client.submit(spec)).error)
    assert failure.failure_class == "resources"
    assert "--max-job-hours" in failure.message


def test_the_health_gate_stands_before_the_job(
    start_agent: Any, connect: Any, null_spec: Any, tmp_path: Path
) -> None:
    root = plant_board(tmp_path, "intel-laptop")
    client = connect(start_agent("--root", str(root)).address)
    spec = null_spec(client)
    gate = spec.policy.health_gate
    gate.min_battery_percent, gate.max_temperature_celsius = 90, 40
    gate.min_disk_free_bytes = gate.min_memory_available_bytes = 1
    job_id = client.submit(spec)
    events = list(client.watch(job_id))
    assert not [event for event in events if event.HasField("phase_started")]
    job = client.job(job_id)
    failure = status_to_failure(job.error)
    assert (job.state, failure.failure_class) == (Job.STATE_FAILED, "device")
    assert "the battery is at 73 %, 90 % are asked for" in failure.message
    assert "at most 40 °C are asked for" in failure.message
    assert job.spec.policy.health_gate == gate

    (root / "sys/class/power_supply/BAT0/capacity").write_text("95\n")
    for zone in root.glob("sys/class/thermal/thermal_zone*/temp"):
        zone.write_text("35000\n")
    assert client.finished(client.submit(spec)).state == Job.STATE_SUCCEEDED


def test_what_the_device_cannot_tell_is_said_in_the_jobs_log(
    start_agent: Any, connect: Any, null_spec: Any, tmp_path: Path
) -> None:
    client = connect(start_agent("--root", str(tmp_path)).address)
    spec = null_spec(client)
    spec.policy.health_gate.min_battery_percent = 50
    events = list(client.watch(client.submit(spec)))
    assert events[-1].job_finished.job.state == Job.STATE_SUCCEEDED
    said = [event.log_line.text for event in events if event.HasField("log_line")]
    assert "the health gate cannot tell: battery: the device tells no battery's level" in said


def test_a_job_that_asks_for_too_much_is_refused_by_its_field(
    client: Any, null_spec: Any, error_of: ErrorOf
) -> None:
    def refused(change: Callable[[Any], object]) -> str:
        spec = null_spec(client)
        change(spec)
        error = error_of(lambda: client.submit(spec))
        assert isinstance(error, SpecInvalid)
        return error.metadata["field"]

    def many_arms(spec: Any) -> None:
        spec.arms.extend([spec.arms[0]] * 256)

    def many_repeats(spec: Any) -> None:
        for number in range(100):
            spec.arms.add().CopyFrom(spec.arms[0])
            spec.arms[-1].name = f"arm {number}"
        spec.round_robin.repeat_count = 100

    def many_options(spec: Any) -> None:
        spec.arms[0].runtime_options.update({f"option {i}": "x" for i in range(65)})

    def many_dimensions(spec: Any) -> None:
        spec.arms[0].input_shapes.add(name="x", dimensions=[1] * 17)

    def many_bytes(spec: Any) -> None:
        for number in range(64):
            spec.arms[0].runtime_options[f"option {number}"] = "x" * 5000

    assert refused(many_arms) == "arms"
    assert refused(many_bytes) == "spec"
    assert refused(many_repeats) == "schedule.repeat_count"
    assert refused(many_options) == "arms[0].runtime_options"
    assert refused(many_dimensions) == "arms[0].input_shapes[0].dimensions"
    assert refused(lambda spec: spec.arms[0].files.extend([spec.arms[0].files[0]] * 64)) == (
        "arms[0].files"
    )
    name = "../../etc/passwd"
    assert refused(lambda spec: setattr(spec.arms[0].files[0], "name", name)) == (
        "arms[0].files[0].name"
    )


def test_what_is_asked_in_bulk_has_its_limit(client: Any, error_of: ErrorOf) -> None:
    digest = artifact_pb2.Digest(sha256="0" * 64)
    request = artifact_pb2.FindMissingArtifactsRequest(digests=[digest] * 10_001)
    error = error_of(lambda: client.artifacts.FindMissingArtifacts(request, timeout=20))
    assert isinstance(error, SpecInvalid)
    assert error.metadata["field"] == "digests"


def test_a_page_of_large_jobs_fits_a_message(client: Any, null_spec: Any) -> None:
    """Forty of them are more than is told at once."""
    lease = device_pb2.AcquireLeaseRequest(request_id="r", holder="keeps jobs from running")
    lease.ttl.FromSeconds(600)
    client.device.AcquireLease(lease, timeout=20)
    spec = null_spec(client)
    for number in range(255):
        spec.arms.add().CopyFrom(spec.arms[0])
        spec.arms[-1].name = f"{number} " + "x" * 250
        for index in range(3):
            spec.arms[-1].files.add(name=f"{index:0>120}", digest=spec.arms[0].files[0].digest)
    assert spec.ByteSize() > 230_000
    submitted = [client.submit(spec) for _ in range(16)]
    for job_id in submitted:
        client.cancel(job_id)
    for _ in range(24):
        submitted.append(client.submit(spec))
        client.cancel(submitted[-1])
    listed: list[str] = []
    pages = 0
    request = benchmark_pb2.ListJobsRequest(page_size=500)
    while not pages or request.page_token:
        page = client.benchmark.ListJobs(request, timeout=60)
        listed += [job.job_id for job in page.jobs]
        request.page_token = page.next_page_token
        pages += 1
    assert pages > 1
    assert listed == submitted[::-1]


def test_a_caller_that_asks_too_often_is_told_when_to_ask_again(
    start_agent: Any, connect: Any, error_of: ErrorOf
) -> None:
    client = connect(start_agent("--max-calls-per-second", "1").address)

    def ask() -> Any:
        return client.device.GetDeviceStatus(device_pb2.GetDeviceStatusRequest(), timeout=20)

    error = error_of(lambda: [ask() for _ in range(60)])
    assert isinstance(error, RateLimited)
    assert error.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert 0 < float(error.metadata["retry_after_s"]) <= 1
    health: Any = health_pb2_grpc.HealthStub(client.channel)
    for _ in range(10):
        health.Check(health_pb2.HealthCheckRequest(), timeout=20)
