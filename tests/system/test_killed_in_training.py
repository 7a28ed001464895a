"""Killed in the middle of training and started again: the same file, without what was done."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TASK = """
import time
from pathlib import Path

import torch
from torch import nn

STEPS = Path(__file__).with_name("steps")

def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2),
                         nn.Linear(16, 4))

def example_inputs():
    return torch.zeros(1, 8)

def train_data():
    inputs = torch.randn(160, 8)
    for chosen in torch.randperm(160).split(16):
        batch = inputs[chosen] + 0.1 * torch.randn(16, 8)
        yield batch, batch[:, :4].argmax(1)

def validation_data():
    inputs = torch.randn(40, 8)
    return [(inputs, inputs[:, :4].argmax(1))]

def loss(outputs, targets):
    with STEPS.open("a") as file:
        file.write("x")
    time.sleep(PAUSE_S)
    return nn.functional.cross_entropy(outputs, targets)
"""
PROJECT = """
[task]
module = "task.py"

[[variant]]
name = "trained"
formats = ["pt2"]
passes = [{ use = "qat", epochs = 4, learning_rate = 0.01 }]
"""
STEPS_PER_EPOCH, EPOCHS = 10, 4
KILLED_AFTER = 25
WAIT_S = 200


def write_project(folder: Path, pause_s: float) -> None:
    """``pause_s``: in each step, so that there is time to kill it."""
    folder.mkdir(exist_ok=True)
    # Beside the file, as it is no part of the task.
    (folder / "pause.py").write_text(f"PAUSE_S = {pause_s}\n")
    head = (
        "import sys\nsys.path.insert(0, __file__.rpartition('/')[0])\nfrom pause import PAUSE_S\n"
    )
    (folder / "task.py").write_text(head + TASK)
    (folder / "trimtab.toml").write_text(PROJECT)


def start(folder: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "trimtab", "compress"],
        cwd=folder,
        env={**environment, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def steps(folder: Path) -> int:
    file = folder / "steps"
    return file.stat().st_size if file.exists() else 0


def finished(process: subprocess.Popen[str]) -> str:
    output, said = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, output + said
    return said


def digest(folder: Path) -> str:
    (file,) = folder.rglob("trained.pt2")
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.slow
def test_it_goes_on_from_the_checkpoint_and_ends_with_the_same_file(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    write_project(whole, pause_s=0)
    undisturbed = start(whole, environment)
    said = finished(undisturbed)
    assert "goes on from its checkpoint" not in said
    assert steps(whole) == EPOCHS * STEPS_PER_EPOCH

    write_project(killed, pause_s=0.2)
    process = start(killed, environment)
    deadline = time.monotonic() + WAIT_S
    while steps(killed) < KILLED_AFTER and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    done = steps(killed)
    assert not list(killed.rglob("trained.pt2"))

    write_project(killed, pause_s=0)
    said = finished(start(killed, environment))
    found = re.search(
        r"training: goes on from its checkpoint, epoch (\d) of 4, after batch 0", said
    )
    assert found, said
    kept_epochs = int(found[1]) - 1
    assert kept_epochs >= KILLED_AFTER // STEPS_PER_EPOCH
    assert steps(killed) == done + (EPOCHS - kept_epochs) * STEPS_PER_EPOCH
    assert digest(killed) == digest(whole)
