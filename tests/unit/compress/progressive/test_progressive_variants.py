"""A target over real files: what is made on the way is kept, and a second build trains nothing."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from torch import nn
from trimtab import plugins
from trimtab.compress.passes import ModelContext, ModelPass, PassConfig, PassRejected
from trimtab.compress.passes.base import Dial
from trimtab.compress.training import TrainingConfig, task_loss, train, training_data
from trimtab.export import build_variants
from trimtab.project import PassStep, Target, VariantPlan
from trimtab.records import Variant
from trimtab.task import Task, load_task
from trimtab_protos.digest import digest_file

TASK = """
import torch
from torch import nn

def _data(seed, count):
    inputs = torch.randn(count, 8, generator=torch.Generator().manual_seed(seed))
    return inputs, (inputs[:, :2] > 0).long() @ torch.tensor([1, 2])

def model():
    network = nn.Sequential(nn.Linear(8, 512), nn.ReLU(), nn.Linear(512, 4))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    inputs, targets = _data(0, 512)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(inputs), targets).backward()
        optimizer.step()
    return network

def example_inputs():
    return (torch.zeros(1, 8),)

def train_data():
    inputs, targets = _data(0, 512)
    return zip(inputs.split(64), targets.split(64))
"""
VALIDATION = """
def validation_data():
    return [_data(1, 256)]
"""


class NarrowConfig(TrainingConfig):
    amount: float = 0.5


class NarrowPass(ModelPass[NarrowConfig]):
    """Takes the hidden layer's last neurons away, and trains what is left."""

    name: ClassVar[str] = "narrow"
    config: ClassVar[type[PassConfig]] = NarrowConfig
    dial: ClassVar[Dial | None] = Dial("amount", 0.05, 0.95)
    epochs: ClassVar[list[int]] = []

    def data_key(self, config: NarrowConfig, context: ModelContext) -> str:
        return training_data(context.task).digest if config.epochs else ""

    def apply(
        self, model: nn.Module, config: NarrowConfig, context: ModelContext
    ) -> tuple[nn.Module, str]:
        first, _, last = list(model.children())
        assert isinstance(first, nn.Linear)
        assert isinstance(last, nn.Linear)
        left = round(first.out_features * (1 - config.amount))
        made = nn.Sequential(nn.Linear(8, left), nn.ReLU(), nn.Linear(left, 4))
        first_rows, last_columns = first.weight.data[:left], last.weight.data[:, :left]
        weights = {"0.weight": first_rows, "0.bias": first.bias.data[:left]}
        made.load_state_dict({**weights, "2.weight": last_columns, "2.bias": last.bias.data})
        self.epochs.append(config.epochs)
        if config.epochs:
            settings = config.training(context)
            train(made.train(), context.task, settings, task_loss(context.task))
        return made, f"{left} neurons left"


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The pass is there; the epochs of each time it was applied."""
    real = plugins.load_plugin

    def load_plugin(group: str, name: str) -> plugins.Plugin:
        return plugins.Plugin(name, NarrowPass) if name == "narrow" else real(group, name)

    monkeypatch.setattr("trimtab.compress.passes.registry.load_plugin", load_plugin)
    monkeypatch.setattr(NarrowPass, "epochs", [])
    return NarrowPass.epochs


@pytest.fixture
def task(tmp_path: Path) -> Callable[..., Task]:
    def load(more: str = VALIDATION) -> Task:
        file = tmp_path / "task.py"
        file.write_text(TASK + more)
        return load_task(file, 0)

    return load


def plan(
    metric: str, limit: float, on: str | None = None, drop: float = 0.02, **settings: Any
) -> VariantPlan:
    """In TorchScript, which is the quickest to export."""
    step = PassStep("narrow", {"epochs": 2, "amount": 0.5, **settings})
    return VariantPlan("small", ("torchscript",), (step,), Target(metric, limit, (0,), drop, on))


def by_name(variants: list[Variant]) -> dict[str, Variant]:
    return {each.name: each for each in variants}


@pytest.mark.slow
def test_size_is_reached_and_every_step_is_a_variant(
    narrow: list[int], task: Callable[..., Task], tmp_path: Path
) -> None:
    said: list[str] = []
    halved = PassStep("quantize", {"scheme": "fp16"})
    steps = (PassStep("narrow", {"epochs": 2}), halved)
    wanted = VariantPlan("small", ("onnx",), steps, Target("size_mb", 0.008, (0,), 0.02))
    made = by_name(build_variants(task(), [wanted], tmp_path / "out", said.append))
    small = made["small"]
    amount = small.recipe[0]["amount"]
    assert sorted(made) == ["float", "small", f"small.1-narrow-{amount:g}"]
    assert small.artifact is not None
    assert 0.0076 <= small.artifact.size_bytes / 1e6 <= 0.008
    assert small.lineage[-1].startswith("target size_mb <= 0.008 reached: 0.007")
    assert "kept" in made[f"small.1-narrow-{amount:g}"].lineage[-1]
    assert [each for each in narrow if each] == [2]  # trained once, all else was tried untrained
    assert any("untrained" in line for line in said)

    applied = list(narrow)
    found = PassStep("narrow", {k: v for k, v in small.recipe[0].items() if k != "use"})
    plain = VariantPlan("plain", ("onnx",), (found, halved))
    again = by_name(build_variants(task(), [wanted, plain], tmp_path / "out"))
    assert narrow == applied
    assert again["plain"].artifact is not None
    assert again["plain"].artifact.sha256 == small.artifact.sha256
    assert {name: again[name] for name in made} == made


def test_what_was_trained_for_a_target_is_not_trained_again(
    narrow: list[int], task: Callable[..., Task], tmp_path: Path
) -> None:
    wanted = plan("parameters", 2000, drop=0.5)
    made = by_name(build_variants(task(), [wanted], tmp_path / "out"))
    assert "target parameters <= 2000 reached: 19" in made["small"].lineage[-1]
    assert [each for each in narrow if each] == [2]
    applied = list(narrow)
    assert by_name(build_variants(task(), [wanted], tmp_path / "out")) == made
    assert narrow == applied


def test_accuracy_stops_short_of_the_target_and_says_so(
    narrow: list[int], task: Callable[..., Task], tmp_path: Path
) -> None:
    untrained = plan("size_mb", 0.004, epochs=0)
    made = by_name(build_variants(task(), [untrained], tmp_path / "out"))
    verdict = made["small"].lineage[-1]
    assert "target size_mb <= 0.004 not reached" in verdict
    assert "lost too much" in verdict
    assert any("turned back" in each.lineage[-1] for each in made.values() if each.lineage)


class StubDevice:
    """Latency is in proportion to the file's size. Broken off at the third file, once."""

    name = "stub"

    def __init__(self) -> None:
        self.measured: list[str] = []
        self.is_broken = True

    def figure(self, path: Path, model_format: str, metric: str) -> float:
        if self.is_broken and len(self.measured) == 3:
            raise KeyboardInterrupt
        self.measured.append(digest_file(path).sha256)
        return path.stat().st_size / 1e4

    def operator_times(self, path: Path, model_format: str) -> Mapping[str, float]:
        raise PassRejected("none")

    def layer_times(self, *arguments: Any) -> Any:
        raise PassRejected("none")


def test_broken_off_pipeline_goes_on_with_what_was_measured(
    narrow: list[int], task: Callable[..., Task], tmp_path: Path
) -> None:
    device = StubDevice()
    wanted = plan("latency_p50_ms", 1.2, "stub", drop=0.5)

    def build() -> dict[str, Variant]:
        found = build_variants(task(), [wanted], tmp_path, devices=lambda selector: device)
        return by_name(found)

    with pytest.raises(KeyboardInterrupt):
        build()
    device.is_broken = False
    made = build()
    assert "target latency_p50_ms <= 1.2 reached: 1.1" in made["small"].lineage[-1]
    assert len(set(device.measured)) == len(device.measured)
    assert not list((tmp_path / ".cache" / "pipelines").iterdir())


@pytest.mark.parametrize(
    ("more", "metric", "reason"),
    [
        ("", "size_mb", "a target needs validation_data(), which task.py lacks"),
        (VALIDATION, "latency_p50_ms", "measured on a device, and there is none here"),
    ],
)
def test_what_is_missing_is_that_variants_failure(
    narrow: list[int],
    task: Callable[..., Task],
    tmp_path: Path,
    more: str,
    metric: str,
    reason: str,
) -> None:
    wanted = plan(metric, 0.005, None if metric == "size_mb" else "local")
    made = by_name(build_variants(task(more), [wanted], tmp_path))
    assert made["float"].artifact is not None
    assert made["small"].failure is not None
    assert reason in made["small"].failure.message
    assert not narrow
