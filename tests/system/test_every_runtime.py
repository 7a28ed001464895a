"""A file in every runtime that claims its format: outputs that agree, or INVALID by name."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trimtab.compress.quiet import quiet

pytestmark = [pytest.mark.slow, pytest.mark.alone]

Trimtab = Callable[..., subprocess.CompletedProcess[str]]
QUICK = ("--repeats", 1, "--min-duration", "20ms", "--min-samples", 10, "--format", "json")


@pytest.fixture
def runtimes(trimtab: Trimtab) -> dict[str, list[str]]:
    """Format -> the usable runtimes of this machine that claim it."""
    info = json.loads(trimtab("devices", "info", "local", "--format", "json").stdout)
    usable = [each for each in info["runtimes"] if not each["unavailable_reason"]]
    return {
        suffix: [each["name"] for each in usable if suffix in each["formats"]]
        for suffix in ("onnx", "tflite")
    }


@pytest.fixture
def digits(mnist_evaluation: Path, tmp_path: Path) -> Path:
    with np.load(mnist_evaluation) as file:
        np.savez(tmp_path / "digits.npz", images=file["images"][:100])
    return tmp_path / "digits.npz"


@pytest.fixture
def pictures(shared_data: Path, tmp_path: Path) -> Path:
    with np.load(shared_data / "cifar10" / "test.npz") as file:
        np.savez(tmp_path / "pictures.npz", images=file["images"][:100])
    return tmp_path / "pictures.npz"


@pytest.fixture
def static_int8(shared_data: Path, digits: Path, tmp_path: Path) -> Path:
    """mnist.onnx with int8 weights and activations, calibrated on some of the digits."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    with np.load(digits) as file:
        images = file["images"][:32]

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds = iter([{"Input3": image[None]} for image in images])

        def get_next(self) -> Any:
            return next(self._feeds, None)

    target = tmp_path / "int8.onnx"
    with quiet():
        quantize_static(
            shared_data / "models" / "mnist.onnx",
            target,
            Reader(),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    return target


@pytest.mark.parametrize("name", ["mnist.onnx", "int8.onnx", "fp32.tflite", "int8.tflite"])
def test_outputs_agree_in_every_runtime_that_claims_the_format_or_are_invalid(
    request: pytest.FixtureRequest,
    trimtab: Trimtab,
    shared_data: Path,
    runtimes: dict[str, list[str]],
    name: str,
) -> None:
    models, suffix = shared_data / "models", name.rpartition(".")[2]
    is_onnx = suffix == "onnx"
    reference = models / ("mnist.onnx" if is_onnx else "resnet8_fp32.tflite")
    inputs = request.getfixturevalue("digits" if is_onnx else "pictures")
    file = models / (name if is_onnx else f"resnet8_{name}")
    if name == "int8.onnx":
        file = request.getfixturevalue("static_int8")
    assert runtimes[suffix], "no runtime here claims this format"
    asked = [word for each in runtimes[suffix] for word in ("--runtime", each)]
    run = trimtab("bench", file, *asked, "--reference", reference, "--inputs", inputs, *QUICK)

    results = json.loads(run.stdout)["results"]
    mine = [each for each in results if each["artifact"]["file"] == file.name]
    assert {each["runtime"]["name"] for each in mine} == set(runtimes[suffix])
    itself = [each for each in mine if agreement(each) == "not_applicable"]
    assert len(itself) <= (file.name == reference.name), "outputs were not compared"
    for result in mine:
        if result not in itself:
            agrees_or_is_invalid(result)


def agreement(result: dict[str, Any]) -> str:
    """The outcome of OUTPUTS_AGREE; empty where the runtime refused the file."""
    checks = result["verdict"]["checks"]
    outcomes = [each["outcome"] for each in checks if each["name"] == "OUTPUTS_AGREE"]
    return str(outcomes[0]) if outcomes else ""


def agrees_or_is_invalid(result: dict[str, Any]) -> None:
    """A runtime may also refuse the file, with its reason."""
    if result["error"] is not None:
        assert result["error"]["message"]
        return
    outcome = agreement(result)
    assert outcome in ("passed", "failed")
    if outcome == "failed":
        assert not result["verdict"]["valid"]
        return
    assert result["metrics"]["sqnr_db"]["value"] >= 6
    assert result["metrics"]["agreement"]["value"] >= 0.8
