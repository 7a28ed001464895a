"""Soft targets for tasks of any kind: class scores, binary logits, values."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from trimtab.compress.distillation import binary_divergence, divergence
from trimtab.compress.passes import ModelContext, PassRejected
from trimtab.compress.pipeline import apply_to_model, recipe_of
from trimtab.project import PassStep
from trimtab.task import Task, as_tensors


def distilled(task: Task, tmp_path: Path, **settings: Any) -> tuple[nn.Module, str]:
    steps = recipe_of([PassStep("distill", {"epochs": 1, **settings})], "onnx").on_model
    made, (sentence,) = apply_to_model(steps, task.model, ModelContext(task, tmp_path))
    return made, sentence


def outputs(model: nn.Module, inputs: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat(as_tensors(model(inputs)), 1)


class Measuring(nn.Module):
    """Two outputs of one feature: a value, and whether it is positive."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.inner = nn.Linear(4, width)
        self.value = nn.Linear(width, 1)
        self.sign = nn.Linear(width, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        inner = torch.relu(self.inner(features))
        return self.value(inner), self.sign(inner)


def measuring_task() -> Task:
    """Its labels are wrong: a student that learns from the teacher alone does not see them."""

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(40):
            yield torch.randn(32, 4), torch.full((32, 1), 50.0)

    functions: dict[str, Any] = {
        "model": Measuring,
        "student": lambda: Measuring(16),
        "example_inputs": lambda: torch.zeros(1, 4),
        "train_data": batches,
        "loss": lambda outputs, targets: (outputs[0] - targets).square().mean(),
        "metric": lambda outputs, targets: -float(np.abs(outputs[0] - targets).mean()),
    }
    return Task(Path("task.py"), functions, seed=0)


@pytest.mark.parametrize("soft", ["auto", "binary", "values"])
def test_values_and_binary_logits_of_several_outputs_are_learned(soft: str, tmp_path: Path) -> None:
    task = measuring_task()
    settings: dict[str, Any] = {"student": "own", "soft": soft, "learning_rate": 0.01}
    features = torch.randn(256, 4)
    wanted = outputs(task.model, features)
    before = outputs(distilled(task, tmp_path, **settings, epochs=0)[0], features)
    made, sentence = distilled(task, tmp_path, **settings, weight=1.0)
    after = outputs(made, features)
    assert (after - wanted).square().mean() < 0.3 * (before - wanted).square().mean()
    assert ("binary logits softened" if soft == "binary" else "output values (mse)") in sentence


def test_scores_of_one_class_are_refused_with_what_suits(tmp_path: Path) -> None:
    with pytest.raises(PassRejected, match=r'\(1, 1\) and \(1, 1\); set soft = "binary"'):
        distilled(measuring_task(), tmp_path, student="own", soft="scores")


def test_classes_of_the_default_loss_are_the_second_dimension() -> None:
    wanted, ours = torch.randn(2, 3, 5), torch.randn(2, 3, 5)
    by_position = divergence(ours.mT.reshape(10, 3), wanted.mT.reshape(10, 3), 2.0)
    assert float(divergence(ours, wanted, 2.0, class_dim=1)) == pytest.approx(float(by_position))


def test_binary_divergence_is_that_of_two_classes() -> None:
    wanted, ours = torch.randn(6, 1), torch.randn(6, 1)
    two_ours, two_wanted = (torch.cat((each, torch.zeros(6, 1)), 1) for each in (ours, wanted))
    by_hand = float(divergence(two_ours, two_wanted, 3.0))
    assert float(binary_divergence(ours, wanted, 3.0)) == pytest.approx(by_hand)
