"""Jobs through a real agent, its real workers and real runtimes."""

from __future__ import annotations

import gzip
import io
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from trimtab_protos.digest import digest_bytes
from trimtab_protos.errors import JobArtifactMissing, RuntimeUnavailable, SpecInvalid
from trimtab_protos.v1 import artifact_pb2, benchmark_pb2

Job = benchmark_pb2.Job


def kinds(events: list[Any]) -> list[str]:
    return [event.WhichOneof("kind") for event in events]


def failure(status: Any) -> tuple[str, str]:
    from trimtab_protos.errors import status_to_failure

    found = status_to_failure(status)
    return found.failure_class, found.message


@pytest.fixture
def images(shared_data: Path) -> bytes:
    """A hundred MNIST test images as the model takes them."""
    packed = (shared_data / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes()
    pixels = np.frombuffer(gzip.decompress(packed), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    file = io.BytesIO()
    np.savez(file, Input3=pixels[:100].astype(np.float32))
    return file.getvalue()


def test_a_job_goes_through_all_its_phases(
    client: Any, make_spec: Any, mnist: bytes, images: bytes
) -> None:
    spec = make_spec({"mnist": (client.upload(mnist), "mnist.onnx")})
    spec.evaluation.inputs.CopyFrom(client.upload(images))
    spec.evaluation.reduction = benchmark_pb2.Evaluation.REDUCTION_ARGMAX
    events = list(client.watch(client.submit(spec)))

    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    phases = [
        benchmark_pb2.Phase.Name(event.phase).removeprefix("PHASE_")
        for event in events
        if event.WhichOneof("kind") == "phase_started"
    ]
    repeat = ["LOAD", "FIRST_INFERENCE", "WARM_UP", "MEASURE"]
    assert phases == [*repeat, *repeat, "MEMORY", "EVALUATE"]

    job = events[-1].job_finished.job
    assert job.state == Job.STATE_SUCCEEDED
    (result,) = job.result.arms
    samples = [event.sample_batch for event in events if event.HasField("sample_batch")]
    assert result.sample_count == sum(len(batch.latency_ns) for batch in samples) >= 40
    assert all(latency > 0 for batch in samples for latency in batch.latency_ns)
    assert len(result.load_duration_ns) == len(result.first_inference_duration_ns) == 2
    assert result.memory.peak_bytes > 0 or "memory_peak_mb" in result.unavailable
    assert "sensor" in result.unavailable["energy_mj"]
    assert {check.name for check in result.checks} >= {"MIN_DURATION", "OUTPUTS_FINITE"}
    assert result.conditions["governor"]
    assert 0 < float(result.conditions["harness_null_ns"]) < 1e6

    outputs = np.load(io.BytesIO(client.download(result.evaluation_outputs)))
    (labels,) = (outputs[name] for name in outputs.files)
    assert labels.shape == (100,)


def test_repeats_take_turns_over_the_arms(client: Any, make_spec: Any, mnist: bytes) -> None:
    digest = client.upload(mnist)
    spec = make_spec({"a": (digest, "a.onnx"), "b": (digest, "b.onnx")}, repeats=3)
    events = list(client.watch(client.submit(spec)))
    turns = [
        (event.repeat_index, event.arm)
        for event in events
        if event.phase == benchmark_pb2.PHASE_LOAD and event.HasField("phase_started")
    ]
    assert turns == [(0, "a"), (0, "b"), (1, "a"), (1, "b"), (2, "a"), (2, "b")]


def test_watching_again_from_any_number_gives_the_same_events(
    client: Any, make_spec: Any, mnist: bytes
) -> None:
    job_id = client.submit(make_spec({"m": (client.upload(mnist), "m.onnx")}, repeats=1))
    live = list(client.watch(job_id))
    assert list(client.watch(job_id, after=0)) == live
    assert list(client.watch(job_id, after=4)) == live[4:]
    assert list(client.watch(job_id, after=len(live))) == []


def test_a_refused_model_fails_its_arm_and_the_others_go_on(
    client: Any, make_spec: Any, mnist: bytes
) -> None:
    spec = make_spec(
        {
            "text": (client.upload(b"not a model"), "text.onnx"),
            "empty": (client.upload(b""), "empty.onnx"),
            "good": (client.upload(mnist), "good.onnx"),
        }
    )
    job = client.finished(client.submit(spec))
    assert job.state == Job.STATE_SUCCEEDED
    text, empty, good = job.result.arms
    assert failure(text.error)[0] == failure(empty.error)[0] == "model"
    assert failure(text.error)[1]
    assert not good.HasField("error")
    assert good.sample_count >= 40


def test_a_job_of_failed_arms_fails_with_the_first_ones_reason(client: Any, make_spec: Any) -> None:
    spec = make_spec({"text": (client.upload(b"not a model"), "text.onnx")})
    job = client.finished(client.submit(spec))
    assert job.state == Job.STATE_FAILED
    assert failure(job.error) == failure(job.result.arms[0].error)


def worker_of(agent_pid: int) -> psutil.Process:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for child in psutil.Process(agent_pid).children():
            if "trimtab_agent.worker" in child.cmdline():
                return child
        time.sleep(0.01)
    raise AssertionError("no worker")


def wait_for_phase(client: Any, job_id: str, phase: int) -> None:
    for event in client.watch(job_id):
        if event.phase == phase:
            return
    raise AssertionError("the phase did not come")


def test_a_killed_worker_fails_its_arm_and_the_next_job_is_fine(
    start_agent: Any, connect: Any, make_spec: Any, mnist: bytes
) -> None:
    agent = start_agent()
    client = connect(agent.address)
    models = {"m": (client.upload(mnist), "m.onnx")}
    job_id = client.submit(make_spec(models, min_duration_s=20))
    wait_for_phase(client, job_id, benchmark_pb2.PHASE_MEASURE)
    os.kill(worker_of(agent.pid).pid, signal.SIGKILL)
    job = client.finished(job_id)
    assert job.state == Job.STATE_FAILED
    kind, sentence = failure(job.result.arms[0].error)
    assert kind == "device"  # somebody's doing: the host tries again
    assert "killed" in sentence
    assert client.finished(client.submit(make_spec(models))).state == Job.STATE_SUCCEEDED


def test_cancelling_kills_the_worker_and_ends_the_job(
    start_agent: Any, connect: Any, make_spec: Any, mnist: bytes
) -> None:
    agent = start_agent()
    client = connect(agent.address)
    spec = make_spec({"m": (client.upload(mnist), "m.onnx")}, min_duration_s=20)
    running, waiting = client.submit(spec), client.submit(spec)
    wait_for_phase(client, running, benchmark_pb2.PHASE_MEASURE)
    worker = worker_of(agent.pid)
    assert client.cancel(waiting).state == Job.STATE_CANCELLED
    client.cancel(running)
    assert client.finished(running).state == Job.STATE_CANCELLED
    assert not worker.is_running()
    assert client.cancel(running).state == Job.STATE_CANCELLED


def test_uploads_are_refused_while_a_worker_is_timed(
    client: Any, make_spec: Any, mnist: bytes, error_of: Any
) -> None:
    spec = make_spec({"m": (client.upload(mnist), "m.onnx")}, min_duration_s=20)
    job_id = client.submit(spec)
    wait_for_phase(client, job_id, benchmark_pb2.PHASE_MEASURE)
    assert error_of(lambda: client.upload(b"something new")).reason == "DEVICE_MEASURING"
    client.upload(mnist)  # is there already: nothing is sent
    client.cancel(job_id)
    client.finished(job_id)
    client.upload(b"something new")


def test_a_request_id_that_was_seen_returns_its_job(
    client: Any, make_spec: Any, mnist: bytes
) -> None:
    spec = make_spec({"m": (client.upload(mnist), "m.onnx")}, repeats=1)
    first = client.submit(spec, request_id="twice")
    assert client.submit(spec, request_id="twice") == first
    client.finished(first)
    assert client.submit(spec, request_id="twice") == first


def test_what_cannot_run_here_is_refused_before_a_job_is_made(
    client: Any, make_spec: Any, mnist: bytes, error_of: Any
) -> None:
    models = {"m": (client.upload(mnist), "m.onnx")}
    missing = error_of(lambda: client.submit(make_spec(models, runtime="abacus")))
    assert isinstance(missing, RuntimeUnavailable)
    assert "abacus" in missing.message

    spec = make_spec(models)
    spec.arms[0].runtime_options["colour"] = "red"
    option = error_of(lambda: client.submit(spec))
    assert isinstance(option, SpecInvalid)
    assert option.metadata["field"] == "arms[0].runtime_options"

    spec = make_spec(models, model_format="tflite")
    assert error_of(lambda: client.submit(spec)).metadata["field"] == "arms[0].format"

    digest = digest_bytes(b"never sent")
    message = artifact_pb2.Digest(sha256=digest.sha256, size_bytes=digest.size_bytes)
    absent = error_of(lambda: client.submit(make_spec({"m": (message, "absent.onnx")})))
    assert isinstance(absent, JobArtifactMissing)
    assert "absent.onnx" in absent.message
    request = benchmark_pb2.ListJobsRequest()
    assert not client.benchmark.ListJobs(request).jobs
