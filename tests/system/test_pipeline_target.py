"""A project with targets, by the command line's own chain: real passes, the real local agent."""

import re
from pathlib import Path

import pytest
from trimtab.campaign.project_run import compress_project
from trimtab.records import Variant
from trimtab_protos.errors import Failure

pytestmark = pytest.mark.alone

# 8x8 digits, upsampled: a network slow enough that its latency is more than a call's overhead.
TASK = """
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.set_num_threads(1)
_digits = load_digits()
_images = torch.from_numpy(_digits.images / 16).float()[:, None]
_labels = torch.from_numpy(_digits.target)

def model():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Upsample(scale_factor=2),
        nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1, stride=2), nn.BatchNorm2d(64), nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(256, 10),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(5):
        for inputs, targets in train_data():
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(inputs), targets).backward()
            optimizer.step()
    return network.eval()

def example_inputs():
    return (_images[:1],)

def train_data():
    return zip(_images[:1000].split(50), _labels[:1000].split(50))

def validation_data():
    return [(_images[1000:1400], _labels[1000:1400])]

def eval_data():
    return [(_images[1400:], _labels[1400:])]
"""
PROJECT = """
[task]
module = "task.py"

[measure]
policy = "quick"
runtimes = ["onnxruntime"]

[[variant]]
name = "small"
formats = ["onnx"]
max_accuracy_drop = 0.8  # one epoch: what is reached is looked at, not how well
points = 0
"""
SIZE = """
target = { size_mb = "<= 0.05" }
passes = [
  { use = "simplify" },
  { use = "prune", epochs = 1, round_to = 1 },
  { use = "quantize", scheme = "static" },
]
"""
# The time of wide linear layers falls smoothly with their width, that of few channels in steps.
WIDE = """nn.Flatten(), nn.Linear(64, 1536), nn.ReLU(), nn.Linear(1536, 1536), nn.ReLU(),
        nn.Linear(1536, 10),"""
PRUNED = 'passes = [{ use = "prune", epochs = 1, round_to = 1 }]'
ROUNDED = 1e-4  # the verdict's last digit


def built(folder: Path, variant: str, task: str = TASK) -> dict[str, Variant]:
    (folder / "task.py").write_text(task)
    (folder / "trimtab.toml").write_text(PROJECT + variant)
    said: list[str] = []
    variants = compress_project(folder / "trimtab.toml", said.append)
    return {each.name: each for each in variants}


@pytest.mark.slow
def test_size_is_reached_by_three_passes_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path / "home"))
    made = built(tmp_path, SIZE)
    small = made["small"]
    assert small.artifact is not None, small.failure
    assert 0.0475 <= small.artifact.size_bytes / 1e6 <= 0.05
    assert [each["use"] for each in small.recipe][-2:] == ["prune", "quantize"]
    on_the_way = [name for name in made if name.startswith("small.")]
    assert any("-prune-" in name for name in on_the_way)


@pytest.mark.slow
def test_latency_is_reached_on_the_local_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six tenths of the float model's. A busy machine gives no valid latency, and says so.

    How near it comes where it is quiet is a benchmark's (``benchmarks/latency_target.py``).
    """
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path / "home"))
    task = re.sub(r"nn.Upsample.*?\n    \)", f"{WIDE}\n    )", TASK, flags=re.DOTALL)
    everything = f'target = {{ latency_p50_ms = "<= 1000" }}\n{PRUNED}'
    already = built(tmp_path, everything, task)["small"].failure
    assert already is not None
    limit = 0.6 * float(of_the_float(already))
    small = built(tmp_path, f'target = {{ latency_p50_ms = "<= {limit:.4f}" }}\n{PRUNED}', task)
    failure = small["small"].failure
    if failure is not None:
        skip_where_busy(failure)
    verdict = small["small"].lineage[-1]
    reached = re.search(r"reached: ([0-9.]+) with", verdict)
    assert reached is not None, failure
    assert "not reached" not in verdict
    assert 0.9 * limit <= float(reached[1]) <= limit + ROUNDED


def of_the_float(failure: Failure) -> str:
    """A limit that is far off is reached already: the failure tells the float model's figure."""
    found = re.search(r"the float model has ([0-9.]+)", failure.message)
    if found is None:
        skip_where_busy(failure)
        raise AssertionError(failure)
    return found[1]


def skip_where_busy(failure: Failure) -> None:
    if failure.failure_class == "device":
        pytest.skip(failure.message)
