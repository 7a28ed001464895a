"""Profiles, batches and rates as jobs of a real agent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from trimtab_protos.v1 import benchmark_pb2

pytestmark = pytest.mark.alone


def check(result: Any, name: str) -> Any:
    (found,) = [each for each in result.checks if each.name == name]
    return found


def test_a_profile_comes_back_as_an_artifact(client: Any, make_spec: Any, mnist: bytes) -> None:
    spec = make_spec({"mnist": (client.upload(mnist), "mnist.onnx")}, repeats=1)
    spec.profile_operators = True
    job_id = client.submit(spec)
    events = list(client.watch(job_id))

    phases = [event.phase for event in events if event.WhichOneof("kind") == "phase_started"]
    assert phases[-2:] == [benchmark_pb2.PHASE_PROFILE, benchmark_pb2.PHASE_MEMORY]
    (result,) = client.job(job_id).result.arms
    document = json.loads(client.download(result.operator_profile))
    assert document["schema"] == "trimtab.profile/1"
    assert len(document["operators"]) in (7, 8)  # what is fused depends on the processor
    used = check(result, "ACCELERATOR_USED")
    assert used.outcome == benchmark_pb2.ValidityCheck.OUTCOME_PASSED
    assert "2 Conv" in used.seen


def test_without_being_asked_there_is_no_profile(client: Any, make_spec: Any, mnist: bytes) -> None:
    spec = make_spec({"mnist": (client.upload(mnist), "mnist.onnx")}, repeats=1)
    (result,) = client.finished(client.submit(spec)).result.arms
    assert not result.HasField("operator_profile")
    assert result.conditions["scenario"] == "back to back"
    assert "RATE_KEPT" not in [each.name for each in result.checks]


def test_a_batch_is_written_down_and_a_fixed_one_is_refused(
    client: Any, make_spec: Any, mnist: bytes, shared_data: Path
) -> None:
    resnet = (shared_data / "models" / "resnet8_int8.tflite").read_bytes()
    spec = make_spec(
        {"resnet": (client.upload(resnet), "resnet.tflite")}, "litert", "tflite", repeats=1
    )
    spec.arms.add().CopyFrom(make_spec({"mnist": (client.upload(mnist), "mnist.onnx")}).arms[0])
    spec.offline.batch_size = 4
    open_batch, fixed = client.finished(client.submit(spec)).result.arms
    assert open_batch.conditions["batch_size"] == "4"
    assert open_batch.sample_count > 0
    assert "its batch fixed at 1" in fixed.error.message


@pytest.mark.parametrize(("rate_hz", "outcome"), [(10.0, "PASSED"), (10_000.0, "FAILED")])
def test_a_rate_is_kept_or_said_to_be_missed(
    client: Any, make_spec: Any, shared_data: Path, rate_hz: float, outcome: str
) -> None:
    model = (shared_data / "models" / "mobilenet_v1_025_224_fp32.tflite").read_bytes()
    spec = make_spec(
        {"m": (client.upload(model), "m.tflite")}, "litert", "tflite", repeats=1, min_samples=5
    )
    spec.periodic.rate_hz = rate_hz
    (result,) = client.finished(client.submit(spec)).result.arms
    kept = check(result, "RATE_KEPT")
    assert benchmark_pb2.ValidityCheck.Outcome.Name(kept.outcome) == f"OUTCOME_{outcome}"
    assert result.conditions["rate_hz"] == f"{rate_hz:g}"
