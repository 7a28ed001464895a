"""``--profile``, ``--batch-size`` and ``--rate`` through the real local agent."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Trimtab = Callable[..., subprocess.CompletedProcess[str]]
QUICK = ("--repeats", 2, "--min-duration", "50ms")


def results_of(run: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = json.loads(run.stdout)["results"]
    return results


def check(result: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in result["verdict"]["checks"] if each["name"] == name]
    return dict(found)


def test_profiles_of_both_runtimes_have_one_form(trimtab: Trimtab, shared_data: Path) -> None:
    models = shared_data / "models"
    files = (models / "mnist.onnx", models / "resnet8_int8.tflite")
    run = trimtab("bench", *files, *QUICK, "--profile", "--format", "json")

    assert run.returncode == 0, run.stderr
    assert "mnist.onnx: profile pass" in run.stderr
    onnx, tflite = (result["profile"] for result in results_of(run))
    assert set(onnx) == set(tflite)
    for profile in (onnx, tflite):
        assert sum(each["share"] for each in profile["operators"]) == pytest.approx(1.0)
        assert profile["unavailable"] is None
        sums = profile["operators_ms"] + profile["unexplained_ms"]
        assert sums == pytest.approx(profile["p50_ms"])
    assert onnx["source"] is None
    assert "compiled model" in tflite["source"]
    assert {each["ran_on"] for each in tflite["operators"]} == {"cpu (XNNPACK)", "cpu (built-in)"}
    used = check(results_of(run)[1], "ACCELERATOR_USED")
    assert used["outcome"] == "passed"
    assert "1 SOFTMAX" in used["seen"]


def test_a_profile_is_printed_below_the_table_and_kept(trimtab: Trimtab, shared_data: Path) -> None:
    run = trimtab("bench", shared_data / "models" / "mnist.onnx", *QUICK, "--profile")
    assert run.returncode == 0, run.stderr
    assert "Operators of mnist.onnx (onnx, onnxruntime), 1 thread on local" in run.stdout
    assert "unexplained" in run.stdout
    listed = json.loads(trimtab("runs", "list", "--format", "json").stdout)
    run_id = listed["runs"][0]["run_id"]
    shown = trimtab("runs", "show", run_id, "--format", "json")
    (kept,) = results_of(shown)
    assert len(kept["profile"]["operators"]) == 8
    assert "ReorderOutput" in trimtab("runs", "show", run_id).stdout


def test_a_batch_has_its_throughput_and_a_fixed_one_is_refused(
    trimtab: Trimtab, shared_data: Path
) -> None:
    models = shared_data / "models"
    files = (models / "resnet8_int8.tflite", models / "mnist.onnx")
    run = trimtab("bench", *files, *QUICK, "--batch-size", 8, "--format", "json")

    assert run.returncode == 3
    batch, fixed = results_of(run)
    assert (batch["settings"]["batch_size"], batch["conditions"]["batch_size"]) == (8, "8")
    mean, throughput = (
        batch["metrics"][name]["value"] for name in ("latency_mean_ms", "throughput_per_s")
    )
    assert throughput == pytest.approx(8000 / mean)
    assert fixed["error"]["class"] == "model"
    assert "its batch fixed at 1" in fixed["error"]["message"]


def test_a_rate_is_kept_or_the_latency_is_void(trimtab: Trimtab, shared_data: Path) -> None:
    model = shared_data / "models" / "mobilenet_v1_025_224_fp32.tflite"
    few = ("--repeats", 1, "--min-duration", "500ms", "--min-samples", 5, "--format", "json")
    (kept,) = results_of(trimtab("bench", model, *few, "--rate", 10))
    assert kept["settings"]["rate_hz"] == 10
    assert "of 6 periods at 10 Hz" in check(kept, "RATE_KEPT")["seen"]
    assert kept["metrics"]["throughput_per_s"]["value"] is None
    (missed,) = results_of(trimtab("bench", model, *few, "--rate", 10_000))
    assert check(missed, "RATE_KEPT")["outcome"] == "failed"
    assert not missed["verdict"]["valid"]


def test_two_scenarios_at_once_are_refused(trimtab: Trimtab, shared_data: Path) -> None:
    model = shared_data / "models" / "mnist.onnx"
    run = trimtab("bench", model, "--rate", 5, "--batch-size", 2)
    assert run.returncode == 2
    assert run.stderr.splitlines() == [
        "error: --batch-size and --rate are two scenarios",
        "  give one of the two",
    ]
