"""Two agents as two devices in one run."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

Trimtab = Callable[..., subprocess.CompletedProcess[str]]
QUICK = ("--repeats", 1, "--min-duration", "300ms")


def add_two(trimtab: Trimtab, start_agent: Callable[..., Any]) -> None:
    for name in ("first", "second"):
        added = trimtab("devices", "add", name, start_agent().address, "--label", "kind=test")
        assert added.returncode == 0, added.stderr


def test_two_devices_are_measured_in_parallel_and_compared_in_one_table(
    trimtab: Trimtab, start_agent: Callable[..., Any], shared_data: Path
) -> None:
    add_two(trimtab, start_agent)
    model = shared_data / "models" / "mnist.onnx"

    run = trimtab("bench", model, "--device", "label:kind=test", *QUICK, "--format", "json")

    assert run.returncode == 0, run.stderr
    results = json.loads(run.stdout)["results"]
    assert [result["device"]["name"] for result in results] == ["first", "second"]
    assert all(result["metrics"]["latency_p50_ms"]["value"] > 0 for result in results)
    said = [line.partition(" ")[0] for line in run.stderr.splitlines()]
    last_of_first = max(i for i, who in enumerate(said) if who == "first")
    first_of_second = said.index("second")
    assert first_of_second < last_of_first, "the second waited for the first"

    table = trimtab("bench", model, "--device", "label:kind=test", *QUICK).stdout
    assert "first" in table
    assert "second" in table


def test_a_second_bench_sends_nothing(
    trimtab: Trimtab, start_agent: Callable[..., Any], shared_data: Path
) -> None:
    add_two(trimtab, start_agent)
    model = shared_data / "models" / "mnist.onnx"

    sent = [trimtab("bench", model, "-d", "first", *QUICK).stderr for _ in range(2)]

    assert "sent mnist.onnx" in sent[0]
    assert "sent" not in sent[1]


def test_a_dead_device_costs_only_its_own_results(
    trimtab: Trimtab, start_agent: Callable[..., Any], shared_data: Path, tmp_path: Path
) -> None:
    assert trimtab("devices", "add", "alive", start_agent().address).returncode == 0
    assert trimtab("devices", "add", "dead", f"unix:{tmp_path}/none.sock").returncode == 0
    model = shared_data / "models" / "mnist.onnx"

    run = trimtab("bench", model, "-d", "alive", "-d", "dead", *QUICK, "--format", "json")

    assert run.returncode == 3
    alive, dead = json.loads(run.stdout)["results"]
    assert alive["error"] is None
    assert dead["error"]["class"] == "device"
    assert "Traceback" not in run.stderr
