"""The training that passes share: it learns, is repeatable, and stops where it cannot go on."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from torch import nn
from trimtab.compress import held
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


@dataclass(frozen=True)
class Zeros:
    mask: torch.Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.mask.shape)

    def restore(self, weight: torch.Tensor) -> None:
        weight.mul_(self.mask)


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
    assert str(short) == (
        f"1 epoch of 40 samples, final loss {short.loss:.4g}, "
        "weights of the last epoch kept, as there is no validation_data()"
    )


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
    assert re.fullmatch(
        r"training: epoch 1 of 2, batch 1 of 4, loss [\d.]+, about \d+ s left", lines[0]
    )
    assert re.fullmatch(r"training: epoch 2 of 2, batch 4 of 4, loss [\d.]+", lines[-1])


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


def test_data_that_is_used_up_after_one_epoch_is_told(tiny_task: TaskMaker) -> None:
    once = (
        DATA.replace("train_data", "batches") + "ONE = []\ndef train_data():\n    return ONE[0]\n"
    )
    once += "ONE.append(batches())\n"
    wanted = r"train_data\(\) gave no batch in epoch 1; let it begin anew at each call"
    task = tiny_task(once)
    with pytest.raises(PassRejected, match=wanted):
        train(fresh(), task, TrainingSettings(2, 0.01), task_loss(task))


def test_digest_is_of_the_code_that_decides_too(tiny_task: TaskMaker) -> None:
    loss = "def loss(outputs, targets):\n    return nn.functional.cross_entropy(outputs, targets)\n"
    digest = training_data(tiny_task(DATA + loss)).digest
    assert training_data(tiny_task("\n# moved down\n" + DATA + loss)).digest == digest
    assert training_data(tiny_task(DATA)).digest != digest
    doubled = loss.replace("targets)\n", "targets) * 2\n")
    assert training_data(tiny_task(DATA + doubled)).digest != digest


def test_own_loss_does_not_make_each_step_drop_the_same(tiny_task: TaskMaker) -> None:
    """A task's functions are seeded at each call, in the middle of a step."""
    loss = "def loss(outputs, targets):\n    return outputs.sum()\n"
    task, model = tiny_task(DATA + loss), nn.Sequential(nn.Linear(8, 64), nn.Dropout(0.5))
    dropped: list[torch.Tensor] = []
    model.register_forward_hook(lambda module, inputs, output: dropped.append(output == 0))
    train(model, task, TrainingSettings(1, 0.01), task_loss(task))
    assert not torch.equal(dropped[0], dropped[1])


def test_random_numbers_drawn_afterwards_are_as_if_there_was_no_training(
    tiny_task: TaskMaker,
) -> None:
    task, model = tiny_task(DATA), fresh()
    torch.manual_seed(3)
    wanted = torch.rand(3)
    torch.manual_seed(3)
    train(model, task, TrainingSettings(1, 0.01), task_loss(task))
    assert torch.equal(torch.rand(3), wanted)


def test_no_epoch_needs_no_data(tiny_task: TaskMaker) -> None:
    task, model = tiny_task(), fresh()
    shares: list[float] = []
    trained = train(model, task, TrainingSettings(0, 0.01, shares.append), task_loss(task))
    assert (str(trained), shares) == ("not trained", [1.0])
    assert torch.equal(weights(model), weights(fresh()))


def test_steps_of_the_tasks_own_training_are_told_and_what_is_held_is_restored(
    tiny_task: TaskMaker,
) -> None:
    fit = (
        "def fit(model, loss, epochs, learning_rate):\n"
        "    optimizer = torch.optim.SGD(model.parameters(), 0.1)\n"
        "    for inputs, targets in train_data():\n"
        "        optimizer.zero_grad()\n"
        "        loss((inputs,), model(inputs), targets).backward()\n"
        "        optimizer.step()\n"
    )
    task, model = tiny_task(DATA + fit), fresh().train()
    shares: list[float] = []
    held.hold(model, {"weight": Zeros(torch.zeros(4, 8))})
    seen: list[torch.Tensor] = []
    model.register_forward_hook(lambda module, *_: seen.append(module.weight.detach().clone()))
    trained = train(model, task, TrainingSettings(1, 0.1, shares.append), task_loss(task))
    assert shares == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert len(seen) == 4
    assert not torch.stack(
        [*seen, *(each.detach() for each in model.parameters() if each.ndim > 1)]
    ).any()
    assert str(trained).endswith(
        "loss not told by fit(), weights as the task's own fit() left them"
    )


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
