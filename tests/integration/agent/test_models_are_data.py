"""Hostile files over the wire: a real agent refuses them, and nothing of them has run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile_models
import numpy as np
import pytest
from trimtab_protos.errors import status_to_failure
from trimtab_protos.v1 import benchmark_pb2

Make = Callable[[Path], bytes]
# Runtime, format, the file's name, what makes it, what is said of it.
CASES: tuple[tuple[str, str, str, Make, str], ...] = (
    ("torch", "pt2", "m.pt2", hostile_models.exported_program, "can run any code"),
    ("torch", "torchscript", "m.pt", hostile_models.script, "can run any code"),
    ("onnxruntime", "onnx", "m.onnx", hostile_models.pickled, "no ONNX model"),
    ("onnxruntime", "onnx", "m.ort", lambda marker: hostile_models.onnx_compiled(), "EPContext"),
    ("litert", "tflite", "m.tflite", hostile_models.pickled, "not a valid Flatbuffer"),
    ("executorch", "pte", "m.pte", hostile_models.pickled, "no ExecuTorch program"),
    ("openvino", "openvino", "m.xml", hostile_models.pickled, "is not OpenVINO's own"),
)


def reason(client: Any, spec: Any) -> str:
    (arm,) = client.finished(client.submit(spec)).result.arms
    failed = arm.evaluation_error if arm.HasField("evaluation_error") else arm.error
    failure = status_to_failure(failed)
    assert failure.failure_class == "model"
    assert "\n" not in failure.message
    return str(failure.message)


@pytest.mark.parametrize(("runtime", "model_format", "name", "make", "said"), CASES)
def test_a_hostile_model_is_refused_and_has_run_nothing(
    client: Any,
    make_spec: Any,
    tmp_path: Path,
    runtime: str,
    model_format: str,
    name: str,
    make: Make,
    said: str,
) -> None:
    marker = tmp_path / "marker"
    spec = make_spec({"m": (client.upload(make(marker)), name)}, runtime, model_format, repeats=1)
    assert said in reason(client, spec)
    assert not marker.exists()


@pytest.mark.parametrize("evaluated", [True, False])
def test_pickled_inputs_are_refused_and_not_loaded(
    client: Any, make_spec: Any, mnist: bytes, tmp_path: Path, evaluated: bool
) -> None:
    marker = tmp_path / "marker"
    spec = make_spec({"mnist": (client.upload(mnist), "mnist.onnx")}, repeats=1)
    inputs = client.upload(hostile_models.pickled_array(marker))
    if evaluated:
        spec.evaluation.inputs.CopyFrom(inputs)
        spec.evaluation.reduction = benchmark_pb2.Evaluation.REDUCTION_NONE
    else:
        spec.inputs.CopyFrom(inputs)
    assert "pickled objects, which can run code" in reason(client, spec)
    assert not marker.exists()


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_model_reads_no_file_of_the_devices(
    client: Any, make_spec: Any, tmp_path: Path, runtime: str
) -> None:
    """Its outputs would come back with what stands there."""
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.arange(4, dtype=np.float32).tobytes())
    digest = client.upload(hostile_models.onnx_reading(str(secret)))
    spec = make_spec({"m": (digest, "m.onnx")}, runtime, repeats=1)
    assert "is not a bare file name" in reason(client, spec)
