"""``--profile``, ``--batch-size`` and ``--rate`` through the real local agent."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.alone]

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
    assert len(kept["profile"]["operators"]) in (7, 8)  # what is fused depends on the processor
    assert "MaxPool" in trimtab("runs", "show", run_id).stdout


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


def test_a_sustained_load_has_its_curve_in_every_output(
    trimtab: Trimtab, shared_data: Path, tmp_path: Path
) -> None:
    model = shared_data / "models" / "mnist.onnx"
    run = trimtab("bench", model, "--sustain", "3s", "--format", "json")
    assert run.returncode == 0, run.stderr
    assert "repeats=1*" in run.stderr
    assert "; sustain_s=3" in run.stderr
    (result,) = results_of(run)
    assert (result["settings"]["sustain_s"], result["process_count"]) == (3.0, 1)
    assert result["conditions"]["scenario"] == "sustained"
    assert result["conditions"]["timed_inferences"].startswith(f"{result['sample_count']} of ")
    assert check(result, "MIN_DURATION")["outcome"] == "passed"
    assert check(result, "INTERVAL_KNOWN")["outcome"] == "unknown"
    sustained = result["metrics"]["latency_sustained_ms"]
    assert sustained["ci95"] is None
    (repeat,) = result["sustained"]["repeats"]
    assert repeat["sustained_p50_ms"] == sustained["value"] > 0
    assert len(repeat["intervals"]) == 6
    assert sum(each["sample_count"] for each in repeat["intervals"]) == result["sample_count"]
    assert repeat["intervals"][-1]["end_s"] >= 3.0
    for sensor in ("temperature_c", "frequency_mhz"):
        told = any(each[sensor] is not None for each in repeat["intervals"])
        assert told != (sensor in repeat["unavailable"])

    (run_id,) = [each["run_id"] for each in runs_of(trimtab)]
    assert "in 6 intervals of 0.5 s" in trimtab("runs", "show", run_id).stdout
    (kept,) = results_of(trimtab("runs", "show", run_id, "--format", "json"))
    assert kept["sustained"] == result["sustained"]
    assert trimtab("report", run_id, "-o", "r.html").returncode == 0
    assert "Sustained load of mnist.onnx" in (tmp_path / "r.html").read_text()
    assert trimtab("runs", "export", run_id, "-o", "r.trimtab").returncode == 0
    again = trimtab("runs", "import", "r.trimtab")
    assert "already there" in again.stderr


def runs_of(trimtab: Trimtab) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = json.loads(trimtab("runs", "list", "--format", "json").stdout)[
        "runs"
    ]
    return runs


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--rate", 5), "error: --rate and --sustain are two scenarios"),
        (("--batch-size", 2), "error: --batch-size and --sustain are two scenarios"),
        (
            ("--compare",),
            "error: --compare with --eval, --profile, --reference, --rate, --sustain ",
        ),
    ],
)
def test_a_sustained_load_stands_alone(
    trimtab: Trimtab, shared_data: Path, options: tuple[Any, ...], message: str
) -> None:
    model = shared_data / "models" / "mnist.onnx"
    run = trimtab("bench", model, "--sustain", "10m", *options)
    assert run.returncode == 2
    *_, said, advice = run.stderr.splitlines()
    assert said.startswith(message)
    assert advice.startswith("  ")
