"""tflite-runtime 2.14.0, in an environment of its own, answers wrongly without any error."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trimtab.compress.passes.quantization.tflite_files import dynamic

ENVIRONMENT = Path(__file__).resolve().parents[2] / ".venv-tflite"
INSTALLED = list(ENVIRONMENT.glob("lib/python*/site-packages/tflite_runtime"))
Trimtab = Callable[..., subprocess.CompletedProcess[str]]
StartAgent = Callable[..., Any]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(
        not INSTALLED,
        reason="no tflite-runtime in .venv-tflite: `make test-slow` puts it there (Python 3.11)",
    ),
]


@pytest.fixture
def board(start_agent: StartAgent, trimtab: Trimtab) -> str:
    agent = start_agent(python=ENVIRONMENT / "bin" / "python")
    assert trimtab("devices", "add", "board", agent.address).returncode == 0
    return "board"


@pytest.fixture
def float_model(shared_data: Path) -> Path:
    return shared_data / "models" / "resnet8_fp32.tflite"


@pytest.fixture
def dynamic_range(float_model: Path, tmp_path: Path) -> Path:
    """The float model with int8 weights and float activations."""
    target = tmp_path / "dynamic.tflite"
    dynamic(float_model, target)
    return target


@pytest.fixture
def images(shared_data: Path, tmp_path: Path) -> Path:
    with np.load(shared_data / "cifar10" / "test.npz") as file:
        np.savez(tmp_path / "images.npz", images=file["images"][:200])
    return tmp_path / "images.npz"


def results(run: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert run.returncode == 0, run.stderr
    return {each["artifact"]["file"]: each for each in json.loads(run.stdout)["results"]}


def agreement(result: dict[str, Any]) -> dict[str, Any]:
    checks: list[dict[str, Any]] = result["verdict"]["checks"]
    (check,) = [check for check in checks if check["name"] == "OUTPUTS_AGREE"]
    return check


def test_a_dynamic_range_file_is_invalid_there_and_right_in_its_successor(
    trimtab: Trimtab, board: str, float_model: Path, dynamic_range: Path, images: Path
) -> None:
    arguments = ("bench", dynamic_range, "--reference", float_model, "--inputs", images)
    quick = ("--repeats", 1, "--min-duration", "50ms", "--format", "json")
    there = results(trimtab(*arguments, "--device", board, *quick))
    here = results(trimtab(*arguments, "--device", "local", *quick))

    wrong = there["dynamic.tflite"]
    assert wrong["runtime"]["package"] == "tflite_runtime"
    assert wrong["runtime"]["version"] == "2.14.0"
    assert wrong["error"] is None
    assert wrong["metrics"]["latency_p50_ms"]["value"] > 0
    assert not wrong["verdict"]["valid"]
    check = agreement(wrong)
    assert (check["outcome"], check["severity"]) == ("failed", "invalidates")
    assert "resnet8_fp32.tflite" in check["seen"]
    assert "SQNR" in check["seen"]
    assert wrong["metrics"]["sqnr_db"]["value"] < 6
    assert wrong["metrics"]["agreement"]["value"] < 0.5
    assert there["resnet8_fp32.tflite"]["error"] is None

    right = here["dynamic.tflite"]
    assert right["runtime"]["package"] == "ai_edge_litert"
    assert agreement(right)["outcome"] == "passed"
    assert right["metrics"]["sqnr_db"]["value"] > 15
    assert right["metrics"]["agreement"]["value"] > 0.9
    assert right["metrics"]["sqnr_db"]["valid"]


def test_without_a_reference_it_is_doubted(
    trimtab: Trimtab, board: str, dynamic_range: Path
) -> None:
    quick = ("--repeats", 1, "--min-duration", "50ms", "--format", "json")
    (result,) = results(trimtab("bench", dynamic_range, "--device", board, *quick)).values()

    check = agreement(result)
    assert check["outcome"] == "unknown"
    assert "tflite_runtime 2.14.0 runs dynamic-range int8 files with wrong answers" in check["seen"]
    assert "--reference" in check["advice"]
