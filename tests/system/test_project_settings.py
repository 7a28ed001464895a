"""[measure] of a project, and the command line over it, as they reach results and report."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

Trimtab = Callable[..., subprocess.CompletedProcess[str]]
TASK = """
import torch

def model():
    torch.manual_seed(0)
    return torch.nn.Linear(64, 10).eval()

def example_inputs():
    return (torch.zeros(1, 64),)

def eval_data():
    torch.manual_seed(1)
    yield torch.randn(100, 64), torch.arange(100) % 10
"""
PROJECT = """
[task]
module = "task.py"

[[variant]]
name = "half"
formats = ["onnx"]
passes = [{ use = "quantize", scheme = "fp16" }]

[measure]
runtimes = ["onnxruntime"]
repeats = 3
min_duration_s = 0.02
profile = true
min_sqnr_db = 140
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "task.py").write_text(TASK)
    (tmp_path / "trimtab.toml").write_text(PROJECT)
    return tmp_path


def test_profiles_limits_and_overrides_are_in_force_and_written_down(
    trimtab: Trimtab, project: Path
) -> None:
    asked = ("--set", "repeats=1", "--set", "warmup_s=50ms", "--report", "r.html")
    run = trimtab("run", *asked, "--format", "json")

    assert "repeats=1*" in run.stderr
    assert "min_sqnr_db=140" in run.stderr
    document = json.loads(run.stdout)
    results = {each["variant"]: each for each in document["results"]}
    for result in results.values():
        settings = result["settings"]
        assert (settings["repeats"], settings["warmup_s"]) == (1, 0.05)
        assert settings["min_sqnr_db"] == 140
        assert result["profile"]["operators"]
    (check,) = [
        check for check in results["half"]["verdict"]["checks"] if check["name"] == "OUTPUTS_AGREE"
    ]
    assert check["outcome"] == "failed"
    assert "limit 140" in check["seen"]
    assert not results["half"]["verdict"]["valid"]
    page = (project / "r.html").read_text()
    assert "Settings in force" in page
    assert "<h2>Operators</h2>" in page
    shown = trimtab("runs", "show", document["run_id"])
    assert "min_sqnr_db=140" in shown.stderr


def test_a_wrong_setting_is_one_line_before_anything_is_built(
    trimtab: Trimtab, project: Path
) -> None:
    run = trimtab("run", "--set", "max_duration_s=1ms")

    assert run.returncode == 2
    assert "min_duration_s is 0.02; allowed: at most max_duration_s" in run.stderr
    assert not (project / "trimtab-build").exists()
