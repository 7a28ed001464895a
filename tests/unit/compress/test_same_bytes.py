"""The same recipe, data and seed gives the same bytes, in processes that share nothing."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
TASK = """
import torch
from torch import nn

def model():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten(),
        nn.Linear(8 * 8 * 8, 32), nn.ReLU(), nn.Linear(32, 4))
def example_inputs():
    return torch.zeros(1, 3, 12, 12)
def calibration_data():
    return [torch.randn(16, 3, 12, 12) for _ in range(4)]
"""
BUILD = """
import sys
from pathlib import Path
from typing import get_args
from trimtab.compress.passes.quantization.quantize import Scheme
from trimtab.compress.passes.quantization.ranges import Method
from trimtab.export import build_variants
from trimtab.project import PassStep, VariantPlan
from trimtab.task import load_task

settings = [{"scheme": each} for each in get_args(Scheme)]
settings += [{"scheme": "static", "method": each} for each in get_args(Method)]
settings += [{"scheme": "static", "calibration": "random"}]
plans = [
    VariantPlan("-".join(each.values()), ("onnx", "tflite"), (PassStep("quantize", each),))
    for each in settings
]
for each in build_variants(load_task(Path(sys.argv[1]), 0), plans, Path(sys.argv[2])):
    print(each.name, each.format, each.artifact.sha256 if each.artifact else each.failure.message)
"""


def build(folder: Path, hash_seed: str) -> list[str]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", BUILD, str(folder / "task.py"), str(folder / hash_seed)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_every_scheme_in_every_format(tmp_path: Path) -> None:
    """Another hash seed puts every set in another order."""
    (tmp_path / "task.py").write_text(TASK)
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda each: build(tmp_path, each), ("1", "2"))
    assert len(first) == 2 * (1 + 7 + 3 + 1)
    assert all(len(line.split()) == 3 for line in first), first
    assert first == second
