"""docs/training.md: the trainings that it shows a task's own fit() do train."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from trimtab.compress.training import TrainingSettings, task_loss, train
from trimtab.task import Task

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "training.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
DATA = (
    "def train_data():\n"
    "    inputs = torch.randn(64, 8)\n"
    "    for batch in inputs.split(16):\n"
    "        yield batch, batch[:, :4].argmax(1)\n"
)


@pytest.mark.parametrize(
    ("example", "needed"), list(zip(EXAMPLES, [None, "accelerate", "lightning"], strict=True))
)
def test_example_trains(tiny_task: Callable[..., Task], example: str, needed: str | None) -> None:
    if needed:
        pytest.importorskip(needed)
    task = tiny_task(DATA + example)
    shares: list[float] = []
    settings = TrainingSettings(20, 0.05, after_step=shares.append)
    torch.manual_seed(0)
    trained = train(torch.nn.Linear(8, 4).train(), task, settings, task_loss(task))
    assert trained.loss is not None
    assert trained.loss < 0.8  # 1.5 before
    assert len(shares) == 81
