"""The training that passes share: it learns, is repeatable, and stops where it cannot go on."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import nn
from trimtab.compress.distillation import divergence
from trimtab.compress.passes import PassRejected
from trimtab.compress.training import TrainingSettings, task_loss, train, training_data
from trimtab.records import UserError
from trimtab.task import Task

TaskMaker = Callable[..., Task]
DATA = (
    "def train_data():\n"
    "    inputs = torch.randn(40, 8)\n"
    "    for start in range(0, 40, 10):\n"
    "        batch = inputs[start : start + 10]\n"
    "        yield batch, batch[:, :4].argmax(1)\n"
)


def fresh() -> nn.Module:
    torch.manual_seed(1)
    return nn.Linear(8, 4)


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([each.detach().flatten() for each in model.parameters()])


def test_loss_falls_and_its_figures_are_told(tiny_task: TaskMaker) -> None:
    task = tiny_task(DATA)
    short = train(fresh(), task, TrainingSettings(1, 0.02), task_loss(task))
    long = train(fresh(), task, TrainingSettings(20, 0.02), task_loss(task))
    assert short.loss is not None
    assert long.loss is not None
    assert long.loss < 0.7 * short.loss
    assert (long.epochs, long.samples) == (20, 40)
    assert str(short) == f"1 epoch of 40 samples, final loss {short.loss:.4g}"


def test_same_seed_gives_the_same_weights_and_another_seed_others(tiny_task: TaskMaker) -> None:
    seen = []
    for seed in (0, 0, 1):
        task, model = tiny_task(DATA, seed=seed), fresh()
        train(model, task, TrainingSettings(2, 0.01), task_loss(task))
        seen.append(weights(model))
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def test_epochs_are_not_the_same_data_over_again(tiny_task: TaskMaker) -> None:
    task = tiny_task(DATA)
    batches: list[torch.Tensor] = []

    def loss(inputs: tuple[torch.Tensor, ...], outputs: torch.Tensor, targets: object):  # type: ignore[no-untyped-def]
        batches.append(inputs[0])
        return outputs.sum()

    train(fresh(), task, TrainingSettings(2, 0.01), loss)
    assert len(batches) == 8
    assert not torch.equal(batches[0], batches[4])


def test_learning_rate_falls_to_nothing(tiny_task: TaskMaker) -> None:
    task, model = tiny_task(DATA), fresh()
    seen = [weights(model)]
    settings = TrainingSettings(10, 0.01, after_step=lambda share: seen.append(weights(model)))
    train(model, task, settings, task_loss(task))
    moves = [float((now - was).abs().max()) for was, now in pairwise(seen)]
    assert len(moves) == 41  # also told before the first step
    assert moves[-1] < 0.05 * max(moves)


def test_progress_says_where_it_is(tiny_task: TaskMaker) -> None:
    lines: list[str] = []
    task = tiny_task(DATA)
    train(fresh(), task, TrainingSettings(2, 0.01, progress=lines.append), task_loss(task))
    assert len(lines) == 8
    assert lines[-1].startswith("training: epoch 2 of 2, batch 4 of 4, loss ")


def test_loss_that_becomes_nan_stops_it_with_the_place(tiny_task: TaskMaker) -> None:
    data = DATA.replace("yield batch,", "yield batch / (0 if start == 20 else 1),")
    task = tiny_task(data)
    wanted = r"training stopped in epoch 1, batch 3: the loss is nan; lower learning_rate, .* NaN"
    with pytest.raises(PassRejected, match=wanted) as caught:
        train(fresh(), task, TrainingSettings(2, 0.01), task_loss(task))
    assert "\n" not in str(caught.value)


def test_failing_data_is_told_with_its_line(tiny_task: TaskMaker) -> None:
    task = tiny_task("def train_data():\n    yield torch.zeros(2, 8), torch.zeros(2)\n    1 / 0\n")
    with pytest.raises(UserError, match=r"task.py:\d+: train_data\(\) failed: ZeroDivisionError"):
        training_data(task)


def test_no_batch_at_all_is_refused(tiny_task: TaskMaker) -> None:
    with pytest.raises(PassRejected, match=r"train_data\(\) gives no batch"):
        training_data(tiny_task("def train_data():\n    return []\n"))


def test_digest_is_of_inputs_and_targets(tiny_task: TaskMaker) -> None:
    digest = training_data(tiny_task(DATA)).digest
    assert training_data(tiny_task(DATA)).digest == digest
    assert training_data(tiny_task(DATA.replace("argmax", "argmin"))).digest != digest


def test_task_of_its_own_training_is_asked_for_it(tiny_task: TaskMaker) -> None:
    fit = (
        "def fit(model, loss, epochs, learning_rate):\n"
        "    inputs, targets = next(iter(train_data()))\n"
        "    value = loss((inputs,), model(inputs), targets)\n"
        "    with torch.no_grad():\n"
        "        model.bias += 3\n"
        "    return value.item()\n"
    )
    task, model = tiny_task(DATA + fit), fresh()
    before = weights(model)[-4:]
    trained = train(model, task, TrainingSettings(5, 0.01), task_loss(task))
    assert torch.equal(weights(model)[-4:], before + 3)
    assert trained.loss is not None


def test_divergence_is_of_the_softened_scores() -> None:
    wanted = torch.tensor([[2.0, 0.0, -1.0]])
    assert float(divergence(wanted, wanted + 5, 4.0)) == pytest.approx(0, abs=1e-6)
    ours = torch.tensor([[0.0, 2.0, -1.0]])
    p, q = torch.softmax(wanted / 2, 1), torch.softmax(ours / 2, 1)
    by_hand = 4 * float((p * (p / q).log()).sum())
    assert float(divergence(ours, wanted, 2.0)) == pytest.approx(by_hand, rel=1e-5)


def test_divergence_needs_scores() -> None:
    with pytest.raises(PassRejected, match="distill compares scores of two or more classes"):
        divergence(torch.zeros(3, 1), torch.zeros(3, 1), 4.0)
