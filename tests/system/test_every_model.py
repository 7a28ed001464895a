"""One command for every model there is; and models with unusual inputs."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

pytestmark = pytest.mark.slow

Trimtab = Callable[..., subprocess.CompletedProcess[str]]
QUICK = ("--repeats", 1, "--min-duration", "20ms", "--min-samples", 20, "--format", "json")


def results(run: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert "Traceback" not in run.stderr
    content: list[dict[str, Any]] = json.loads(run.stdout)["results"]
    return content


def test_every_model_is_measured_by_one_command_and_the_unloadable_is_named(
    trimtab: Trimtab, shared_data: Path
) -> None:
    models = sorted((shared_data / "models").glob("*.onnx"))
    models += sorted((shared_data / "models").glob("*.tflite"))
    run = trimtab("bench", *models, "--runtime", "onnxruntime", "--runtime", "litert", *QUICK)

    assert run.returncode == 3
    found = {each["artifact"]["file"]: each for each in results(run)}
    assert len(found) == len(models) == len(results(run))
    for name, result in found.items():
        if name.startswith("unloadable"):
            assert result["error"]["class"] == "model"
            assert f"failed: {name}" in run.stderr
        else:
            assert result["error"] is None, name
            assert result["metrics"]["latency_p50_ms"]["value"] > 0
    assert run.stderr.count("failed: ") == 1


@pytest.fixture
def two_inputs(tmp_path: Path) -> Path:
    """``sum``: a float input with an open batch and length, plus an int8 one alike."""
    shape = ["batch", "length"]
    left = helper.make_tensor_value_info("left", TensorProto.FLOAT, shape)
    right = helper.make_tensor_value_info("right", TensorProto.INT8, shape)
    out = helper.make_tensor_value_info("sum", TensorProto.FLOAT, shape)
    nodes = [
        helper.make_node("Cast", ["right"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["left", "real"], ["sum"]),
    ]
    graph = helper.make_graph(nodes, "sum", [left, right], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, tmp_path / "two.onnx")
    return tmp_path / "two.onnx"


def test_open_dimensions_without_a_shape_name_the_input(trimtab: Trimtab, two_inputs: Path) -> None:
    run = trimtab("bench", two_inputs, *QUICK)

    assert run.returncode == 3
    (result,) = results(run)
    assert result["error"]["class"] == "model"
    assert "'left'" in result["error"]["message"]
    assert "--shape left=" in result["error"]["message"]


def test_several_inputs_of_several_types_and_an_open_batch(
    trimtab: Trimtab, two_inputs: Path, tmp_path: Path
) -> None:
    shapes = ("--shape", "left=4x6", "--shape", "right=4x6")
    left = np.arange(54, dtype=np.float32).reshape(9, 6)
    right = np.arange(54, dtype=np.int8).reshape(9, 6)
    np.savez(tmp_path / "in.npz", left=left, right=right)
    np.savez(tmp_path / "out.npz", sum=left + right)

    (random,) = results(trimtab("bench", two_inputs, *shapes, *QUICK))
    real = ("--inputs", tmp_path / "in.npz", "--reference", tmp_path / "out.npz")
    (given,) = results(trimtab("bench", two_inputs, *shapes, *real, *QUICK))

    assert random["error"] is None
    assert given["error"] is None
    assert given["metrics"]["max_abs_difference"]["value"] == 0.0


def test_an_open_batch_is_set_in_litert_too(trimtab: Trimtab, shared_data: Path) -> None:
    model = shared_data / "models" / "ad01_int8.tflite"
    one, eight = (
        results(trimtab("bench", model, "--shape", f"input_1={batch}x640", *QUICK))[0]
        for batch in (1, 8)
    )
    assert one["error"] is None
    assert eight["error"] is None
    assert eight["settings"]["input_shapes"] == {"input_1": [8, 640]}


def test_a_shape_for_no_input_names_those_there_are(trimtab: Trimtab, two_inputs: Path) -> None:
    (result,) = results(trimtab("bench", two_inputs, "--shape", "x=1x6", *QUICK))
    assert "'x'" in result["error"]["message"]
    assert "left, right" in result["error"]["message"]
