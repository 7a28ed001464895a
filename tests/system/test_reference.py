"""``trimtab bench --reference``: wrong answers are INVALID, through the real runtimes."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

pytestmark = [pytest.mark.slow, pytest.mark.alone]

Trimtab = Callable[..., subprocess.CompletedProcess[str]]
QUICK = ("--repeats", 1, "--min-duration", "20ms", "--format", "json")


def by_file(run: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert "Traceback" not in run.stderr
    return {each["artifact"]["file"]: each for each in json.loads(run.stdout)["results"]}


def agreement(result: dict[str, Any]) -> dict[str, Any]:
    checks: list[dict[str, Any]] = result["verdict"]["checks"]
    (check,) = [check for check in checks if check["name"] == "OUTPUTS_AGREE"]
    return check


@pytest.fixture
def few_digits(mnist_evaluation: Path, tmp_path: Path) -> Path:
    with np.load(mnist_evaluation) as file:
        np.savez(tmp_path / "few.npz", images=file["images"][:200], labels=file["labels"][:200])
    return tmp_path / "few.npz"


@pytest.fixture
def shuffled(shared_data: Path, tmp_path: Path) -> Path:
    """mnist.onnx with the weights of each tensor in another order: as fast, and wrong."""
    model = onnx.load(shared_data / "models" / "mnist.onnx")
    generator = np.random.default_rng(0)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size > 1:
            mixed = generator.permutation(values.ravel()).reshape(values.shape)
            tensor.CopyFrom(numpy_helper.from_array(mixed, tensor.name))
    onnx.save(model, tmp_path / "shuffled.onnx")
    return tmp_path / "shuffled.onnx"


def test_a_model_with_shuffled_weights_is_invalid_although_it_runs(
    trimtab: Trimtab, shared_data: Path, few_digits: Path, shuffled: Path
) -> None:
    original = shared_data / "models" / "mnist.onnx"
    run = trimtab("bench", shuffled, "--reference", original, "--eval", few_digits, *QUICK)

    assert run.returncode == 0, run.stderr
    results = by_file(run)
    assert results["mnist.onnx"]["verdict"]["valid"]
    wrong = results["shuffled.onnx"]
    assert wrong["error"] is None
    assert not wrong["verdict"]["valid"]
    check = agreement(wrong)
    assert check["outcome"] == "failed"
    assert check["severity"] == "invalidates"
    assert "mnist.onnx" in check["seen"]
    assert check["advice"]
    for name in ("latency_p50_ms", "accuracy", "throughput_per_s"):
        assert not wrong["metrics"][name]["valid"]
    assert wrong["metrics"]["size_mb"]["valid"]


def test_an_int8_model_agrees_with_its_float_model_on_inputs_without_labels(
    trimtab: Trimtab, shared_data: Path, tmp_path: Path
) -> None:
    models = shared_data / "models"
    with np.load(shared_data / "cifar10" / "test.npz") as file:
        np.savez(tmp_path / "images.npz", images=file["images"][:200])
    run = trimtab(
        "bench",
        models / "resnet8_int8.tflite",
        "--reference",
        models / "resnet8_fp32.tflite",
        "--inputs",
        tmp_path / "images.npz",
        *QUICK,
    )

    assert run.returncode == 0, run.stderr
    int8 = by_file(run)["resnet8_int8.tflite"]
    assert agreement(int8)["outcome"] == "passed"
    assert int8["verdict"]["valid"]
    assert 10 < int8["metrics"]["sqnr_db"]["value"] < 60
    assert 0 < int8["metrics"]["max_abs_difference"]["value"] < 1
    assert int8["metrics"]["agreement"]["value"] > 0.9
    assert int8["metrics"]["accuracy"]["value"] is None


def test_outputs_from_a_file_are_a_reference_and_the_limits_are_the_user_s(
    trimtab: Trimtab, shared_data: Path, few_digits: Path, tmp_path: Path
) -> None:
    import onnxruntime

    model = shared_data / "models" / "mnist.onnx"
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    with np.load(few_digits) as file:
        name = session.get_inputs()[0].name
        scores = [session.run(None, {name: image[None]})[0] for image in file["images"]]
    expected = np.concatenate(scores)
    noise = np.random.default_rng(0).normal(0, 0.05 * expected.std(), expected.shape)
    np.savez(tmp_path / "expected.npz", scores=expected + noise.astype(np.float32))
    arguments = ("bench", model, "--reference", tmp_path / "expected.npz", "--eval", few_digits)

    (loose,) = by_file(trimtab(*arguments, *QUICK)).values()
    (strict,) = by_file(trimtab(*arguments, "--min-sqnr", 60, *QUICK)).values()

    assert agreement(loose)["outcome"] == "passed"
    assert agreement(strict)["outcome"] == "failed"
    assert "limit 60" in agreement(strict)["seen"]


TINY_TASK = """
import torch

def model():
    torch.manual_seed(0)
    return torch.nn.Linear(64, 10).eval()

def example_inputs():
    return (torch.zeros(1, 64),)
"""
TINY_PROJECT = """
[task]
module = "task.py"

[[variant]]
name = "half"
passes = [{ use = "quantize", scheme = "fp16" }]
"""


def test_the_reference_may_be_of_another_format_with_other_names(
    trimtab: Trimtab, tmp_path: Path
) -> None:
    (tmp_path / "task.py").write_text(TINY_TASK)
    (tmp_path / "trimtab.toml").write_text(TINY_PROJECT)
    built = trimtab("compress")
    assert built.returncode == 0, built.stderr
    samples = np.random.default_rng(0).normal(size=(50, 64)).astype(np.float32)
    np.savez(tmp_path / "in.npz", anything=samples)
    files = tmp_path / "trimtab-build"
    arguments = ("bench", files / "half.tflite", "--reference", files / "float.onnx")

    results = by_file(trimtab(*arguments, "--inputs", "in.npz", *QUICK))

    half = results["half.tflite"]
    assert results["float.onnx"]["runtime"]["name"] == "onnxruntime"
    assert half["runtime"]["name"] == "litert"
    assert agreement(half)["outcome"] == "passed"
    assert 50 < half["metrics"]["sqnr_db"]["value"] < 100
    assert half["metrics"]["agreement"]["value"] > 0.95


def test_a_reference_that_takes_other_inputs_is_unknown_and_says_what_helps(
    trimtab: Trimtab, shared_data: Path, few_digits: Path
) -> None:
    models = shared_data / "models"
    reference = models / "ultraface_rfb_320.onnx"
    arguments = ("bench", models / "mnist.onnx", "--reference", reference, "--eval", few_digits)
    run = trimtab(*arguments, *QUICK)

    assert run.returncode == 3
    check = agreement(by_file(run)["mnist.onnx"])
    assert check["outcome"] == "unknown"
    assert "wants samples of shape Nx3x240x320" in check["seen"]
    assert "--reference FILE.npz" in check["advice"]


def test_outputs_that_cannot_be_compared_are_unknown_and_exit_3(
    trimtab: Trimtab, shared_data: Path, few_digits: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "expected.npz", scores=np.zeros((7, 3), np.float32))
    run = trimtab(
        "bench",
        shared_data / "models" / "mnist.onnx",
        "--reference",
        tmp_path / "expected.npz",
        "--eval",
        few_digits,
        *QUICK,
    )

    assert run.returncode == 3
    (result,) = by_file(run).values()
    assert agreement(result)["outcome"] == "unknown"
    assert "(7, 3)" in agreement(result)["seen"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--reference", "m.onnx"], "compared on real inputs"),
        (["--min-sqnr", "10"], "nothing to agree with"),
        (["--min-agreement", "2", "--reference", "m.onnx"], "--min-agreement"),
        (["--reference", "x.txt", "--inputs", "in.npz"], "unknown kind of model file"),
        (["--reference", "no.npz", "--inputs", "in.npz"], "no.npz: no such file"),
        (["--reference", "bad.npz", "--inputs", "in.npz"], "not an .npz"),
    ],
)
def test_a_wrong_reference_is_one_line_and_exit_2(
    trimtab: Trimtab, tmp_path: Path, arguments: list[str], said: str
) -> None:
    for name in ("m.onnx", "x.txt", "bad.npz"):
        (tmp_path / name).write_bytes(b"x")
    np.savez(tmp_path / "in.npz", x=np.zeros((2, 2), np.float32))
    run = trimtab("bench", "m.onnx", *arguments)

    assert run.returncode == 2
    assert said in run.stderr
    assert run.stdout == ""
