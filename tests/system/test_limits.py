"""Jobs beyond a limit, as a user sees them."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytestmark = pytest.mark.slow

Trimtab = Callable[..., subprocess.CompletedProcess[str]]
QUICK = ("--repeats", 1, "--min-duration", "20ms", "--min-samples", 20, "--format", "json")


def only_result(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert "Traceback" not in run.stderr
    (result,) = json.loads(run.stdout)["results"]
    found: dict[str, Any] = result
    return found


@pytest.fixture
def heavy(tmp_path: Path) -> Path:
    """60 MB of weights."""
    weights = np.ones((1, 15_000_000), dtype=np.float32)
    row = ("x", TensorProto.FLOAT, [1, 1])
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "w"], ["y"])],
        "heavy",
        [helper.make_tensor_value_info(*row)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 15_000_000])],
        [numpy_helper.from_array(weights, "w")],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "heavy.onnx")
    return tmp_path / "heavy.onnx"


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (("--memory-limit", 50), "memory limit of 50 MB"),
        (("--memory-limit", 120), "memory limit of 120 MB"),
        (("--process-timeout", "50ms"), "limit of 0.05 s"),
    ],
)
def test_a_limit_exceeded_is_named_and_the_class_is_resources(
    trimtab: Trimtab, heavy: Path, limit: tuple[str, object], said: str
) -> None:
    run = trimtab("bench", heavy, *limit, *QUICK)

    assert run.returncode == 3
    result = only_result(run)
    assert result["error"]["class"] == "resources"
    assert said in result["error"]["message"]
    assert said in run.stderr


def test_a_limit_that_only_the_evaluation_exceeds_costs_only_the_accuracy(
    trimtab: Trimtab, shared_data: Path, tmp_path: Path
) -> None:
    """200 MB of images, which deflate to nearly nothing on the way."""
    images = np.zeros((200_000_000 // (28 * 28 * 4), 1, 28, 28), np.float32)
    labels = np.zeros(len(images), np.int64)
    np.savez_compressed(tmp_path / "many.npz", images=images, labels=labels)
    limit = ("--memory-limit", 180, "--eval", tmp_path / "many.npz")
    run = trimtab("bench", shared_data / "models" / "mnist.onnx", *limit, *QUICK)

    result = only_result(run)
    assert result["error"] is None
    assert result["metrics"]["latency_p50_ms"]["value"] > 0
    assert "memory limit of 180 MB" in result["metrics"]["accuracy"]["reason"]
