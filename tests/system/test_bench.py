"""``trimtab bench`` through the real local agent and the real runtimes."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Trimtab = Callable[..., subprocess.CompletedProcess[str]]
QUICK = ("--repeats", 2, "--min-duration", "50ms")

RESULT_KEYS = {
    "device",
    "runtime",
    "artifact",
    "settings",
    "verdict",
    "error",
    "metrics",
    "sample_count",
    "process_count",
    "conditions",
}
WITHOUT_TORCH = """
import sys
for name in ("torch", "onnx", "litert_torch", "ai_edge_quantizer", "sklearn", "onnxscript"):
    sys.modules[name] = None
from trimtab.cli import main
sys.argv[0] = "trimtab"
main()
"""


def bench_json(run: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    content = json.loads(run.stdout)
    assert content["schema"] == "trimtab.bench/1"
    results: list[dict[str, Any]] = content["results"]
    return results


def bare_accuracy(model: Path, evaluation: Path) -> float:
    """Top-1 by the interpreter itself, fed by hand."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(model), num_threads=1)
    interpreter.allocate_tensors()
    (entry,), (exit_,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = entry["quantization"]
    with np.load(evaluation) as file:
        images, labels = file["images"].astype(np.float32), file["labels"]
    if entry["dtype"] == np.int8:
        images = np.clip(np.round(images / scale) + zero_point, -128, 127)
    right = 0
    for image, label in zip(images.astype(entry["dtype"]), labels, strict=True):
        interpreter.set_tensor(entry["index"], image[None])
        interpreter.invoke()
        right += int(interpreter.get_tensor(exit_["index"]).argmax() == label)
    return right / len(labels)


def test_json_alone_stands_on_standard_output(trimtab: Trimtab, shared_data: Path) -> None:
    models = shared_data / "models"
    run = trimtab(
        "bench", models / "mnist.onnx", models / "resnet8_int8.tflite", *QUICK, "--format", "json"
    )

    assert run.returncode == 0, run.stderr
    onnx, tflite = bench_json(run)
    assert set(onnx) >= RESULT_KEYS
    assert (onnx["runtime"]["name"], tflite["runtime"]["name"]) == ("onnxruntime", "litert")
    for result in (onnx, tflite):
        assert result["error"] is None
        assert result["process_count"] == 2
        p50 = result["metrics"]["latency_p50_ms"]
        assert p50["provenance"] == "measured"
        assert p50["ci95"][0] <= p50["value"] <= p50["ci95"][1]
        peak, *parts = (
            result["metrics"][f"memory_peak{part}_mb"]["value"] for part in ("", "_anon", "_file")
        )
        assert peak > 1
        assert min(parts) > 0
        assert sum(parts) == pytest.approx(peak)
        assert result["metrics"]["memory_accelerator_mb"]["provenance"] == "unavailable"
        energy = result["metrics"]["energy_mj"]
        assert energy["value"] is None
        assert energy["provenance"] == "unavailable"
        assert "looked for" in energy["reason"]
    assert onnx["artifact"]["size_bytes"] == (models / "mnist.onnx").stat().st_size


def test_bench_needs_no_torch(
    environment: dict[str, str], tmp_path: Path, shared_data: Path
) -> None:
    model = shared_data / "models" / "mnist.onnx"
    arguments = ["bench", str(model), "--repeats", "1", "--min-duration", "20ms"]
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *arguments, "--format", "json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert bench_json(run)[0]["metrics"]["latency_p50_ms"]["value"] > 0


def test_bad_files_get_a_line_each_and_the_good_one_is_measured(
    trimtab: Trimtab, shared_data: Path, tmp_path: Path
) -> None:
    models = shared_data / "models"
    (tmp_path / "empty.tflite").touch()
    (tmp_path / "text.onnx").write_text("this is no model\n")
    files = [
        models / "unloadable_person_detect.tflite",
        tmp_path / "empty.tflite",
        tmp_path / "text.onnx",
        models / "mnist.onnx",
    ]

    run = trimtab("bench", *files, *QUICK, "--format", "json")

    assert run.returncode == 3
    assert "Traceback" not in run.stderr
    *bad, good = bench_json(run)
    assert good["error"] is None
    assert good["metrics"]["latency_p50_ms"]["value"] > 0
    for result in bad:
        assert result["error"]["class"] == "model"
        assert "\n" not in result["error"]["message"]
        assert not result["metrics"]
    assert "quantized_dimension must be in range" in bad[0]["error"]["message"]
    assert sum(line.startswith("failed: ") for line in run.stderr.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.onnx"], "missing.onnx: no such file"),
        (["x.weights"], ".onnx"),
        (["m.onnx", "--threads", "none"], "not a thread count"),
        (["m.onnx", "--device", "moon"], "no device matches moon"),
        (["m.onnx", "--eval", "m.onnx"], "not an .npz"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    trimtab: Trimtab, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "m.onnx").write_bytes(b"x")
    (tmp_path / "x.weights").write_bytes(b"x")

    run = trimtab("bench", *arguments)

    assert run.returncode == 2
    assert said in run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout == ""


def test_accuracy_of_mnist_through_the_agent_is_the_known_figure(
    trimtab: Trimtab, shared_data: Path, mnist_evaluation: Path
) -> None:
    model = shared_data / "models" / "mnist.onnx"

    run = trimtab("bench", model, "--eval", mnist_evaluation, *QUICK, "--format", "json")

    assert run.returncode == 0, run.stderr
    accuracy = bench_json(run)[0]["metrics"]["accuracy"]
    assert accuracy["value"] == pytest.approx(0.989, abs=0.0005)
    assert accuracy["ci95"][0] < accuracy["value"] < accuracy["ci95"][1]


def test_resnet8_scores_what_a_bare_interpreter_scores(trimtab: Trimtab, shared_data: Path) -> None:
    models = [shared_data / "models" / f"resnet8_{kind}.tflite" for kind in ("fp32", "int8")]
    evaluation = shared_data / "cifar10" / "test.npz"

    run = trimtab("bench", *models, "--eval", evaluation, *QUICK, "--format", "json")

    assert run.returncode == 0, run.stderr
    scores = [result["metrics"]["accuracy"]["value"] for result in bench_json(run)]
    assert scores == [bare_accuracy(model, evaluation) for model in models]


@pytest.mark.slow
def test_float_and_int8_resnet8_agree_within_half_a_point(
    trimtab: Trimtab, shared_data: Path
) -> None:
    """With LiteRT's own kernels; XNNPACK's int8 ones cost a quarter of a point more here."""
    models = [shared_data / "models" / f"resnet8_{kind}.tflite" for kind in ("fp32", "int8")]
    evaluation = shared_data / "cifar10" / "test.npz"
    plain = ("--option", "litert.xnnpack=off", "--format", "json")

    run = trimtab("bench", *models, "--eval", evaluation, *QUICK, *plain)

    assert run.returncode == 0, run.stderr
    float32, int8 = (result["metrics"]["accuracy"]["value"] for result in bench_json(run))
    assert float32 > 0.75
    assert abs(float32 - int8) <= 0.005


def test_what_a_device_cannot_do_costs_only_that_arm(trimtab: Trimtab, shared_data: Path) -> None:
    models = shared_data / "models"
    files = [models / "mnist.onnx", models / "resnet8_int8.tflite"]

    wrong_runtime = trimtab("bench", *files, "--runtime", "litert", *QUICK, "--format", "json")
    no_such_accelerator = trimtab(
        "bench", files[0], "--accelerator", "tensorrt", *QUICK, "--format", "json"
    )

    onnx, tflite = bench_json(wrong_runtime)
    assert onnx["error"] == {"class": "model", "message": "litert reads .tflite, not .onnx"}
    assert tflite["error"] is None
    (result,) = bench_json(no_such_accelerator)
    assert result["error"]["class"] == "device"
    assert "is built without tensorrt" in result["error"]["message"]


def test_an_evaluation_set_of_the_wrong_shape_costs_only_the_accuracy(
    trimtab: Trimtab, shared_data: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, images=np.zeros((4, 3, 5, 5), np.float32), labels=np.zeros(4, np.int64))

    run = trimtab(
        "bench",
        shared_data / "models" / "mnist.onnx",
        "--eval",
        wrong,
        *QUICK,
        "--format",
        "json",
    )

    assert run.returncode == 3
    (result,) = bench_json(run)
    assert result["metrics"]["latency_p50_ms"]["value"] > 0
    assert result["metrics"]["accuracy"]["value"] is None
    assert "shape" in result["metrics"]["accuracy"]["reason"]


@pytest.mark.slow
def test_csv_and_markdown_hold_one_row_a_result(trimtab: Trimtab, shared_data: Path) -> None:
    model = shared_data / "models" / "mnist.onnx"

    csv = trimtab("bench", model, *QUICK, "--format", "csv")
    markdown = trimtab("bench", model, *QUICK, "--format", "markdown")

    header, row = csv.stdout.splitlines()
    assert "latency_p50_ms_lo" in header
    assert "mnist.onnx" in row
    assert markdown.stdout.startswith("|")
