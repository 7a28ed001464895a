"""``trimtab bench --compare`` and ``trimtab compare``, as a user runs them."""

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.alone]

Trimtab = Callable[..., subprocess.CompletedProcess[str]]
SHORT = ("--repeats", 2, "--min-duration", "50ms")


@pytest.fixture
def mnist(shared_data: Path) -> Path:
    return shared_data / "models" / "mnist.onnx"


def test_an_obvious_difference_is_said_in_one_sentence(
    trimtab: Trimtab, mnist: Path, shared_data: Path
) -> None:
    slow = shared_data / "models" / "resnet8_fp32.tflite"
    done = trimtab("bench", mnist, slow, "--compare", "--repeats", 3)
    assert done.returncode == 0, done.stderr
    sentence, *_, last = done.stdout.splitlines()
    pattern = r"local: mnist\.onnx is \d+ % faster than resnet8_fp32\.tflite \[\d+ %, \d+ %\]"
    assert re.fullmatch(pattern, sentence)
    assert last.startswith("Only the ratio is given")
    assert " ms" not in sentence


def test_the_json_of_a_comparison_of_a_file_with_itself(trimtab: Trimtab, mnist: Path) -> None:
    done = trimtab("bench", mnist, mnist, "--compare", "--repeats", 3, "--format", "json")
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert content["schema"] == "trimtab.compare/1"
    (found,) = content["comparisons"]
    assert [arm["name"] for arm in found["arms"]] == ["mnist.onnx", "mnist.onnx (2)"]
    assert found["error"] is None
    assert found["valid"] is True
    low, high = found["ci95"]
    assert low < found["ratio"] < high
    assert len(found["per_repeat"]) == 3
    assert found["pair_count"] == 36


def test_one_file_alone_cannot_be_compared(trimtab: Trimtab, mnist: Path) -> None:
    done = trimtab("bench", mnist, "--compare")
    assert done.returncode == 2
    assert "--compare takes two, on local there are 1" in done.stderr
    assert "two runtimes or threads" in done.stderr


def test_a_file_that_does_not_load_fails_the_comparison_with_its_reason(
    trimtab: Trimtab, mnist: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_text("not a model")
    done = trimtab("bench", mnist, broken, "--compare")
    assert done.returncode == 3
    assert "broken.onnx" in done.stderr
    assert "failed: local: model:" in done.stderr


def test_a_deadline_ends_a_comparison_as_it_ends_a_run(trimtab: Trimtab, mnist: Path) -> None:
    long = ("--min-duration", "20s", "--set", "max_duration_s=30")
    began = time.monotonic()
    done = trimtab("bench", mnist, mnist, "--compare", "--deadline", "4s", *long)
    assert done.returncode == 3
    assert "failed: local: resources: the run's deadline passed" in done.stderr
    assert time.monotonic() - began < 40


def test_runs_with_different_threads_are_compared_only_anyway(
    trimtab: Trimtab, mnist: Path
) -> None:
    for threads in (1, 2, 1):
        assert trimtab("bench", mnist, "--threads", threads, *SHORT).returncode == 0
    kept = json.loads(trimtab("runs", "list", "--format", "json").stdout)["runs"]
    third, second, first = (run["run_id"] for run in kept)

    refused = trimtab("compare", first, second)
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert "threads: 1 / 2" in refused.stderr
    assert "--anyway" in refused.stderr

    shown = trimtab("compare", first, second, "--anyway")
    assert shown.returncode == 0
    assert "threads: 1 / 2" in shown.stdout

    content = json.loads(trimtab("compare", first, third, "--format", "json").stdout)
    assert content["schema"] == "trimtab.compare-runs/1"
    assert content["pairs"][0]["differences"] == []


def test_runs_under_different_governors_are_compared_only_anyway_with_each_named(
    trimtab: Trimtab, mnist: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    cpufreq = tmp_path / "root/sys/devices/system/cpu/cpufreq"
    (cpufreq / "policy0").mkdir(parents=True)
    environment["TRIMTAB_SYSFS_ROOT"] = str(tmp_path / "root")
    for governor, boost in (("performance", "0"), ("powersave", "1")):
        (cpufreq / "policy0/scaling_governor").write_text(f"{governor}\n")
        (cpufreq / "boost").write_text(f"{boost}\n")
        assert trimtab("bench", mnist, *SHORT).returncode == 0
    kept = json.loads(trimtab("runs", "list", "--format", "json").stdout)["runs"]
    second, first = (run["run_id"] for run in kept)
    differences = ("governor: performance / powersave", "boost: off / on")

    refused = trimtab("compare", first, second)
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert all(difference in refused.stderr for difference in differences)

    shown = trimtab("compare", first, second, "--anyway")
    assert shown.returncode == 0
    assert all(difference in shown.stdout for difference in differences)
    assert re.search(r"mnist\.onnx .*\d+\.\d+", shown.stdout), "the figures stand beside"
