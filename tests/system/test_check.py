"""``trimtab check`` on every model there is."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

Trimtab = Callable[..., subprocess.CompletedProcess[str]]


def test_every_model_has_an_answer_and_a_device_that_is_gone_holds_nobody_up(
    trimtab: Trimtab, shared_data: Path, tmp_path: Path
) -> None:
    trimtab("devices", "add", "gone", f"unix:{tmp_path / 'nobody.sock'}")
    models = sorted((shared_data / "models").glob("*.onnx"))
    models += sorted((shared_data / "models").glob("*.tflite"))
    run = trimtab("check", *models, "--device", "local", "--device", "gone", "--format", "json")

    assert run.returncode == 3
    assert "Traceback" not in run.stderr
    *tried, line = run.stderr.splitlines()
    assert ["gone: trying again: no agent answers" in each for each in tried] == [True, True]
    assert line.startswith("failed: gone: no agent answers")
    answers = json.loads(run.stdout)["answers"]
    assert {each["outcome"] for each in answers if each["device"] == "gone"} == {"failed"}
    here = {each["file"]: each for each in answers if each["device"] == "local"}
    assert set(here) == {path.name for path in models}
    for name, each in here.items():
        if name.startswith("unloadable"):
            assert each["outcome"] == "refused"
            assert "quantized_dimension" in each["reason"]
        else:
            assert each["outcome"] == "supported", each
            assert sum(sum(types.values()) for types in each["operators"].values()) > 5
    (warning,) = here["ultraface_rfb_320.onnx"]["warnings"]
    assert warning.startswith("244 weights are also graph inputs")


def test_an_absent_accelerator_and_a_file_that_is_no_model_are_a_line_each(
    trimtab: Trimtab, shared_data: Path
) -> None:
    models = shared_data / "models"
    asked = ("--accelerator", "tensorrt", "--option", "onnxruntime.trt_fp16_enable=1")
    absent = trimtab("check", models / "mnist.onnx", *asked)
    assert absent.returncode == 1
    assert "onnxruntime-gpu" in absent.stdout
    mixed = trimtab("check", models / "mnist.onnx", models / "resnet20_cifar10.safetensors")
    assert mixed.returncode == 2
    assert "supported" in mixed.stdout
    assert "resnet20_cifar10.safetensors: unknown kind of model file" in mixed.stderr
