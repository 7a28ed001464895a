"""The commands of README.md are run as they stand there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text()
COMMANDS = [
    line.partition(" #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]
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
name = "half"
formats = ["onnx"]
passes = [{ use = "quantize", scheme = "fp16" }]
"""


def of_program(*words: str) -> list[str]:
    return [command for command in COMMANDS if command.startswith(" ".join(words))]


@pytest.fixture
def here(tmp_path: Path, shared_data: Path) -> Path:
    """A folder with the files that the README speaks of."""
    models = shared_data / "models"
    shutil.copy(models / "mnist.onnx", tmp_path / "model.onnx")
    shutil.copy(models / "mnist.onnx", tmp_path / "float.onnx")
    shutil.copy(models / "resnet8_int8.tflite", tmp_path / "model.tflite")
    for name in ("before.onnx", "after.onnx"):
        shutil.copy(models / "mnist.onnx", tmp_path / name)
    images = np.random.default_rng(0).random((20, 1, 28, 28), dtype=np.float32)
    np.savez(tmp_path / "test.npz", images=images, labels=np.zeros(20, np.int64))
    return tmp_path


def run(command: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    program, *arguments = shlex.split(command)
    assert program == "trimtab"
    return subprocess.run(
        [sys.executable, "-m", "trimtab", *arguments, *more],
        cwd=folder,
        env={**os.environ, "TRIMTAB_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_the_make_targets_exist() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()

    for command in of_program("make"):
        assert re.search(rf"^{command.split()[1]}:", makefile, re.MULTILINE), command


def test_the_installed_folders_exist() -> None:
    installs = of_program("pip install")

    assert len(installs) == 2
    for command in installs:
        for word in shlex.split(command)[2:]:
            path = word.partition("[")[0]
            assert word == "-c" or (REPOSITORY / path).exists(), word


def test_files_are_benched_as_shown(here: Path) -> None:
    shown = [command for command in of_program("trimtab bench") if "--device" not in command]

    assert any("--reference" in command for command in shown)
    for command in shown:
        finished = run(command, here, "--repeats", "1", "--min-duration", "50ms")
        assert finished.returncode == 0, finished.stderr


def test_support_is_asked_as_shown(here: Path) -> None:
    (check,) = of_program("trimtab check")
    finished = run(check, here)
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.alone
def test_a_project_is_started_and_decided_as_shown(here: Path) -> None:
    init, init_for_a_file = of_program("trimtab init")
    (compress,) = of_program("trimtab compress")
    (run_project,) = of_program("trimtab run --report")
    assert run(init, here).returncode == 0
    project = here / "my-project"
    (project / "task.py").write_text(TINY_TASK)  # the demo's own task is run by its own test
    (project / "trimtab.toml").write_text(TINY_PROJECT)

    assert run(init_for_a_file, here).returncode == 0
    assert run(compress, here / "file-project").returncode == 0

    assert run(compress, project).returncode == 0
    quick = ("--repeats", "1", "--min-duration", "50ms")
    finished = run(run_project, project, *quick)
    assert finished.returncode == 0, finished.stderr
    assert (project / "report.html").exists()
    listed = run(of_program("trimtab runs list")[0], project, "--format", "json")
    run_id = re.findall(r'"run_id": "([^"]+)"', listed.stdout)[0]
    about_runs = [
        of_program(f"trimtab {name}")
        for name in ("decide", "report", "runs export", "runs import", "runs delete")
    ]
    assert all(about_runs)
    for command in [each for commands in about_runs for each in commands]:
        again = run(command.replace("RUN", run_id), project)
        assert again.returncode == 0, again.stderr


def test_a_board_is_added_as_shown(here: Path) -> None:
    assert run(of_program("trimtab fleet identity")[0], here).returncode == 0
    assert (here / "pi5.identity").exists()
    _, add = of_program("trimtab devices add")  # the first one has an address beyond this machine

    added = run(add, here)

    assert added.returncode == 0, added.stderr
    assert "no agent answers" in added.stderr  # nothing listens there: said, and added all the same
    bench, *_ = [command for command in of_program("trimtab bench") if "--device" in command]
    benched = run(bench, here, "--repeats", "1", "--min-duration", "50ms")
    assert benched.returncode == 3
    assert "failed: model.tflite (tflite, litert) on pi5: device:" in benched.stderr
