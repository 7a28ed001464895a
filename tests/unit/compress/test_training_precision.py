"""Training that multiplies in bfloat16: it does, it learns, and everything else stays float32."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import nn
from trimtab.compress.distillation import distilled
from trimtab.compress.pipeline import recipe_of
from trimtab.compress.training import Precision, TrainingSettings, as_float32, task_loss, train
from trimtab.project import PassStep
from trimtab.task import Task

TaskMaker = Callable[..., Task]
DATA = (
    "def train_data():\n"
    "    inputs = torch.randn(40, 8)\n"
    "    for batch in inputs.split(10):\n"
    "        yield batch, batch[:, :4].argmax(1)\n"
)


class Watched(nn.Module):
    """Notes the types that its layers give."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Linear(8, 4)
        self.seen: set[torch.dtype] = set()

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.layer(values)
        self.seen.add(scores.dtype)
        return scores


def trained(task: Task, precision: Precision) -> tuple[Watched, str]:
    model = Watched()
    settings = TrainingSettings(20, 0.02, precision=precision)
    return model, str(train(model, task, settings, task_loss(task)))


def test_products_are_in_bfloat16_and_weights_and_scores_in_float32(tiny_task: TaskMaker) -> None:
    task = tiny_task(
        DATA + "def loss(outputs, targets):\n"
        "    assert outputs.dtype == torch.float32\n"
        "    return torch.nn.functional.cross_entropy(outputs, targets)\n"
    )
    plain, words = trained(task, "float32")
    half, half_words = trained(task, "bfloat16")
    assert (plain.seen, half.seen) == ({torch.float32}, {torch.bfloat16})
    assert {each.dtype for each in half.parameters()} == {torch.float32}
    assert "bfloat16" not in words
    assert "multiplied in bfloat16" in half_words
    assert not torch.equal(half.layer.weight, plain.layer.weight)
    torch.testing.assert_close(half.layer.weight, plain.layer.weight, atol=0.05, rtol=0)


def test_a_teacher_answers_in_bfloat16_too(tiny_task: TaskMaker) -> None:
    task, teacher = tiny_task(DATA), Watched()
    settings = TrainingSettings(1, 0.02, precision="bfloat16")
    train(Watched(), task, settings, distilled(task_loss(task), teacher, 0.5, 4.0))
    assert teacher.seen == {torch.bfloat16}


class Answer(NamedTuple):
    scores: torch.Tensor
    samples: int


def test_outputs_keep_their_types() -> None:
    half = Answer(torch.ones(2, dtype=torch.bfloat16), 2)
    found = as_float32({"answer": half, "same": [torch.ones(1, dtype=torch.float64)]})
    assert isinstance(found["answer"], Answer)
    assert (found["answer"].scores.dtype, found["answer"].samples) == (torch.float32, 2)
    assert found["same"][0].dtype == torch.float64


def test_qat_refuses_it() -> None:
    with pytest.raises(ValueError, match="qat trains in float32"):
        recipe_of([PassStep("qat", {"precision": "bfloat16"})], "onnx")
