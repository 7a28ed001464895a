"""Ctrl-C: exit 130, the job cancelled on the device, no process left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

TINY_TASK = """
import torch

def model():
    return torch.nn.Linear(4, 2).eval()

def example_inputs():
    return (torch.zeros(1, 4),)
"""
TINY_PROJECT = """
[task]
module = "task.py"

[[variant]]
name = "int8"
formats = ["onnx"]
passes = [{ use = "quantize", scheme = "dynamic" }]
"""
LONG = ["--repeats", "20", "--min-duration", "2s"]


def start(arguments: list[str], environment: dict[str, str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "trimtab", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    pytest.fail(f"{text!r} was never said")


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def wait_until_gone(processes: list[psutil.Process]) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(processes, timeout=15)
    return alive


def test_interrupted_bench_leaves_nothing(
    environment: dict[str, str], tmp_path: Path, shared_data: Path
) -> None:
    process = start(
        ["bench", str(shared_data / "models" / "mnist.onnx"), *LONG], environment, tmp_path
    )
    wait_for_line(process, "repeat 1 of 20")
    time.sleep(1)
    family = descendants(process)
    assert len(family) >= 2, "the agent and its worker"

    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "interrupted" in errors
    assert not wait_until_gone(family)


def test_interrupted_bench_cancels_the_job_on_a_device_that_stays(
    environment: dict[str, str],
    tmp_path: Path,
    shared_data: Path,
    start_agent: Callable[..., Any],
    trimtab: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    agent = start_agent()
    assert trimtab("devices", "add", "board", agent.address).returncode == 0
    model = str(shared_data / "models" / "mnist.onnx")
    process = start(["bench", model, "--device", "board", *LONG], environment, tmp_path)
    wait_for_line(process, "repeat 1 of 20")

    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)

    assert process.returncode == 130
    assert psutil.pid_exists(agent.pid)
    workers = psutil.Process(agent.pid).children(recursive=True)
    assert not wait_until_gone(workers)
    (kept,) = json.loads(trimtab("runs", "list", "--format", "json").stdout)["runs"]
    assert kept["interrupted"]
    again = trimtab("bench", model, "--device", "board", "--repeats", "1")
    assert again.returncode == 0, again.stderr


def test_a_host_that_is_killed_takes_the_local_agent_with_it(
    environment: dict[str, str], tmp_path: Path, shared_data: Path
) -> None:
    process = start(
        ["bench", str(shared_data / "models" / "mnist.onnx"), *LONG], environment, tmp_path
    )
    wait_for_line(process, "repeat 1 of 20")
    family = descendants(process)

    process.kill()
    process.communicate(timeout=30)

    assert not wait_until_gone(family)


def test_interrupted_run_leaves_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text(TINY_TASK)
    (tmp_path / "trimtab.toml").write_text(TINY_PROJECT)
    process = start(["run", *LONG], environment, tmp_path)
    wait_for_line(process, "repeat 1 of 20")
    family = descendants(process)

    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "Traceback" not in errors
    assert not wait_until_gone(family)


def test_an_interrupt_while_compressing_is_exit_130(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "trimtab.toml").write_text(TINY_PROJECT)
    slow = TINY_TASK.replace("return torch.nn", "time.sleep(60)\n    return torch.nn")
    (tmp_path / "task.py").write_text("import time\n" + slow)
    process = start(["run"], environment, tmp_path)
    wait_for_line(process, "making the task's model")

    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "Traceback" not in errors


def test_two_trimtabs_do_not_measure_on_one_machine_at_once(
    environment: dict[str, str],
    tmp_path: Path,
    shared_data: Path,
    trimtab: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    model = str(shared_data / "models" / "mnist.onnx")
    process = start(["bench", model, *LONG], environment, tmp_path)
    wait_for_line(process, "repeat 1 of 20")

    second = trimtab("bench", model, "--repeats", "1")

    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert second.returncode == 3
    assert "another trimtab is measuring on this machine" in second.stderr
