"""The graph that is trained with int8 rounding: its constants, its forms, and going on with it."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from trimtab.compress.checkpoints import Checkpoints
from trimtab.compress.passes import ModelContext, PassRejected
from trimtab.compress.passes.quantization import pt2e
from trimtab.compress.pipeline import apply_to_model, recipe_of
from trimtab.project import PassStep
from trimtab.task import Task

EPS = 0.1


def network() -> nn.Module:
    """Batch norm behind a convolution and alone, neither with torch's usual constants."""
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.BatchNorm2d(8, eps=EPS, momentum=0.02),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(8, eps=EPS, momentum=0.02),
        nn.Dropout(0.2),
        nn.Flatten(),
        nn.Linear(72, 4),
    )


def labelled(batches: int = 6) -> Iterator[tuple[Tensor, Tensor]]:
    for _ in range(batches):
        images = torch.rand(16, 1, 8, 8)
        yield images, (4 * images.mean((1, 2, 3))).long().clamp(0, 3)


def make_task(**functions: Callable[..., Any]) -> Task:
    known: dict[str, Callable[..., Any]] = {
        "model": network,
        "example_inputs": lambda: torch.zeros(1, 1, 8, 8),
        "train_data": labelled,
        **functions,
    }
    return Task(Path("task.py"), known, seed=0)


def qat(
    task: Task, folder: Path, checkpoints: Checkpoints | None = None, **settings: Any
) -> tuple[nn.Module, str]:
    (step,) = recipe_of([PassStep("qat", settings)], "onnx").on_model
    context = ModelContext(task, folder, checkpoints=checkpoints or Checkpoints())
    model, (sentence,) = apply_to_model([step], task.model, context)
    return model, sentence


def outputs(model: nn.Module) -> Tensor:
    torch.manual_seed(2)
    images = torch.rand(32, 1, 8, 8)
    with torch.no_grad():
        result: Tensor = model(images)
    return result


@pytest.mark.slow
def test_constants_of_batch_norm_and_dropout_stay_the_models_own() -> None:
    """torchao would write 1e-5, 0.1 and 0.5 into every model's."""
    from torchao.quantization.pt2e import disable_fake_quant

    task = make_task()
    graph = pt2e.prepared_for_training(pt2e.graph_of(task.model, task), per_channel=True)
    graph.apply(disable_fake_quant)
    torch.testing.assert_close(outputs(graph), outputs(task.model), atol=1e-5, rtol=0)
    nodes = list(graph.graph.nodes)
    norms = [each for each in nodes if each.target is torch.ops.aten.batch_norm.default]
    assert [each.args[6:8] for each in norms] == [(0.02, EPS)] * 2
    (dropout,) = (each for each in nodes if each.target is torch.ops.aten.dropout.default)
    assert dropout.args[1] == 0.2


@pytest.mark.slow
def test_no_epoch_gives_a_calibrated_model_and_needs_no_training_data(tmp_path: Path) -> None:
    frozen = network().requires_grad_(False)
    without = Task(
        Path("task.py"),
        {
            "model": lambda: frozen,
            "example_inputs": lambda: torch.zeros(1, 1, 8, 8),
            "calibration_data": lambda: (images for images, _ in labelled()),
        },
        seed=0,
    )
    model, sentence = qat(without, tmp_path, epochs=0)
    assert sentence.startswith("calibrated, not trained, with int8 weights per channel")
    assert sentence.endswith("first ranges from 96 samples of calibration_data()")
    difference = (outputs(model) - outputs(without.model)).abs().max()
    assert 0 < difference < 0.05
    with pytest.raises(PassRejected, match=r"qat needs train_data\(\), which task.py lacks"):
        qat(without, tmp_path, epochs=1)


def test_scoring_leaves_no_trace_in_ranges_statistics_or_what_is_frozen(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "epochs": 3,
        "freeze_batch_norm_after": 0.2,
        "freeze_ranges_after": 0.5,
    }
    rising = count(1)
    far_off = make_task(
        validation_data=lambda: ((9 * images, labels) for images, labels in labelled()),
        metric=lambda outputs, targets: next(rising),
    )
    scored, sentence = qat(far_off, tmp_path, **settings)
    plain, _ = qat(make_task(), tmp_path, **settings)
    assert "weights of epoch 3 kept (validation 3)" in sentence
    assert torch.equal(outputs(scored), outputs(plain))


@pytest.mark.parametrize("broken_off_after", [3, 10])
def test_it_goes_on_from_a_checkpoint_to_the_same_model(
    tmp_path: Path, broken_off_after: int
) -> None:
    """Before and after ranges and statistics are frozen."""
    settings: dict[str, Any] = {"epochs": 2, "distill": True, "freeze_batch_norm_after": 0.5}
    steps = count()

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        if next(steps) == broken_off_after:
            raise KeyboardInterrupt
        return nn.functional.cross_entropy(outputs, targets)

    task, kept = make_task(loss=loss), tmp_path / "kept"
    with pytest.raises(KeyboardInterrupt):
        qat(task, tmp_path, Checkpoints(kept, every_s=0.0), **settings)
    again, _ = qat(task, tmp_path, Checkpoints(kept, every_s=0.0), **settings)
    assert next(steps) == 13  # 12 steps, and the one that was broken off
    whole, _ = qat(task, tmp_path, **settings)
    assert torch.equal(outputs(again), outputs(whole))
