"""The best weights are kept, and a training that was broken off ends as if it had not been."""

import errno
import os
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from trimtab.compress import held
from trimtab.compress.checkpoints import Checkpoint, Checkpoints
from trimtab.compress.passes import PassRejected
from trimtab.compress.training import Trained, TrainingSettings, task_loss, train
from trimtab.task import Task

EPOCHS, BATCHES = 3, 5


class BrokenOff(BaseException):
    """As a signal would end it."""


def batches(count: int = BATCHES) -> Any:
    """Draws from every generator, at its begin, between batches, and far ahead of their use."""
    order = torch.randperm(count)
    for number in range(count):
        if number == 1:
            later = torch.rand(1)
        noise = random.random() + np.random.rand()
        inputs = torch.randn(10, 8) + order[number] + noise + (later if number > 2 else 0)
        yield inputs, inputs[:, :4].argmax(1)


def make_task(**functions: Callable[..., Any]) -> Task:
    return Task(
        Path("task.py"),
        {"example_inputs": lambda: torch.zeros(1, 8), "train_data": batches, **functions},
        seed=0,
    )


def fresh() -> nn.Module:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.3), nn.Linear(16, 4))
    model.register_buffer("unsaved", torch.zeros(1), persistent=False)
    return model.train()


def state(model: nn.Module) -> list[Tensor]:
    return [each.detach().clone() for each in (*model.parameters(), *model.buffers())]


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(state(one), state(other), strict=True))


@dataclass
class Attempt:
    """A training that ends with BrokenOff after ``steps`` steps of it."""

    settings: TrainingSettings
    task: Task = field(default_factory=make_task)
    steps: int | None = None
    model: nn.Module = field(default_factory=fresh)
    shares: list[float] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    losses: int = 0

    def run(self) -> Trained:
        settings = replace(self.settings, after_step=self.shares.append, progress=self.lines.append)
        return train(self.model, self.task, settings, self._loss)

    def broken_off(self) -> None:
        with pytest.raises(BrokenOff):
            self.run()

    def _loss(self, inputs: Any, outputs: Any, targets: Any) -> Tensor:
        if self.losses == self.steps:
            raise BrokenOff
        self.losses += 1
        jitter = torch.rand(1) + random.random()
        return task_loss(self.task)(inputs, outputs, targets) * (1 + jitter)


def kept(folder: Path, **settings: Any) -> TrainingSettings:
    """In a file, after each step."""
    checkpoint = Checkpoint(folder / "kept.pt", every_s=0.0)
    return TrainingSettings(EPOCHS, 0.02, checkpoint=checkpoint, **settings)


@pytest.mark.parametrize(
    ("optimizer", "broken_off_after", "every_s", "going_on_from"),
    [
        ("adam", 7, 0.0, 7),
        ("adam", 7, 60.0, 5),
        ("adam", 3, 60.0, 0),
        ("adamw", 7, 0.0, 7),
        ("sgd", 7, 0.0, 7),
    ],
)
def test_training_that_was_broken_off_ends_with_the_same_weights(
    tmp_path: Path, optimizer: Any, broken_off_after: int, every_s: float, going_on_from: int
) -> None:
    settings = TrainingSettings(EPOCHS, 0.02, optimizer=optimizer, weight_decay=0.01)
    whole = Attempt(settings)
    wanted = whole.run()
    settings = replace(settings, checkpoint=Checkpoint(tmp_path / "c" / "kept.pt", 0, every_s))
    Attempt(settings, steps=broken_off_after).broken_off()
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)
    again = Attempt(settings)
    assert again.run() == wanted
    assert same(again.model, whole.model)
    assert again.losses == EPOCHS * BATCHES - going_on_from
    assert again.shares == whole.shares[going_on_from:]
    told = f"goes on from its checkpoint, epoch 2 of 3, after batch {going_on_from % 5} of 5"
    assert any(told in line for line in again.lines) is bool(going_on_from)


def test_broken_off_again_and_again_it_still_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = Attempt(TrainingSettings(EPOCHS, 0.02))
    whole.run()
    for _ in range(EPOCHS * BATCHES // 3 - 1):
        Attempt(kept(tmp_path), steps=3).broken_off()
    last = Attempt(kept(tmp_path))
    last.run()
    assert last.losses == 3
    assert same(last.model, whole.model)


def test_training_that_was_done_is_not_repeated(tmp_path: Path) -> None:
    """A pass that trains several times may be broken off between."""
    checkpoints = Checkpoints(tmp_path)
    settings = [replace(kept(tmp_path), checkpoint=checkpoints.next()) for _ in range(2)]
    first, second = (Attempt(each) for each in settings)
    wanted = first.run()
    second.run()
    assert not same(first.model, second.model)  # each draws other numbers
    again = Attempt(settings[0])
    assert again.run() == wanted
    assert same(again.model, first.model)
    assert (again.losses, again.shares) == (0, [1.0])
    assert again.lines == [f"training: done already before it was broken off ({wanted})"]
    checkpoints.clear()
    assert not tmp_path.exists()


@pytest.mark.parametrize("what", ["cut", "one bit", "no checkpoint"])
def test_damaged_checkpoint_is_told_and_training_begins_anew(tmp_path: Path, what: str) -> None:
    Attempt(kept(tmp_path), steps=4).broken_off()
    file = tmp_path / "kept.pt"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = {
        "cut": content[: len(content) // 3],
        "one bit": content,
        "no checkpoint": bytearray(b"text"),
    }
    file.write_bytes(damaged[what])
    again, whole = Attempt(kept(tmp_path)), Attempt(TrainingSettings(EPOCHS, 0.02))
    again.run()
    whole.run()
    assert again.lines[0] == f"training: the checkpoint {file} is damaged; training begins anew"
    assert again.losses == EPOCHS * BATCHES
    assert same(again.model, whole.model)


@pytest.mark.parametrize("other", ["shapes", "weights", "settings", "data", "loss"])
def test_checkpoint_of_something_else_is_told_and_not_used(tmp_path: Path, other: str) -> None:
    Attempt(kept(tmp_path), steps=4).broken_off()
    again = Attempt(kept(tmp_path))
    if other == "shapes":
        again.model = nn.Linear(8, 4)
    if other == "weights":
        again.model = fresh().apply(lambda module: setattr(module, "momentum", 0.1))
        with torch.no_grad():
            next(again.model.parameters())[0, 0] += 1
    if other == "settings":
        again.settings = kept(tmp_path, weight_decay=0.1)
    if other == "data":
        again.task = make_task(train_data=lambda: batches(BATCHES + 1))
    if other == "loss":
        again.task = make_task(loss=lambda outputs, targets: outputs.square().mean())
    again.run()
    assert "is of other weights, data or settings; training begins anew" in again.lines[0]
    assert again.shares[0] == 0.0


def test_full_disk_is_told_once_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    attempt, whole = Attempt(kept(tmp_path)), Attempt(TrainingSettings(EPOCHS, 0.02))
    attempt.run()
    whole.run()
    told = [line for line in attempt.lines if "checkpoint" in line]
    assert told == [
        f"training: the checkpoint {tmp_path / 'kept.pt'} cannot be written (No space left on "
        "device); training goes on, and would begin anew if it were broken off"
    ]
    assert same(attempt.model, whole.model)
    assert list(tmp_path.iterdir()) == []


SCORES = [0.5, 0.9, 0.7, 0.9, 0.8, 0.95]


def scored_task(scores: list[float]) -> Task:
    left = iter(scores)
    return make_task(validation_data=lambda: batches(1), metric=lambda outputs, targets: next(left))


def test_weights_of_the_best_epoch_are_kept(tmp_path: Path) -> None:
    after_two = Attempt(kept(tmp_path))
    after_two.settings = replace(after_two.settings, epochs=6)
    seen: list[list[Tensor]] = []
    after_two.task = scored_task([0.5, 0.9, 0.7, 0.9, 0.8, 0.6])
    model = after_two.model
    model.register_forward_pre_hook(
        lambda module, inputs: None if module.training else seen.append(state(module))
    )
    trained = after_two.run()
    assert (trained.epochs, trained.kept, trained.score) == (6, 2, 0.9)
    assert str(trained).endswith(", weights of epoch 2 kept (validation 0.9)")
    assert all(torch.equal(a, b) for a, b in zip(state(model), seen[1], strict=True))
    assert model.training
    line = next(line for line in after_two.lines if line.startswith("training: epoch 3 of 6, loss"))
    assert re.search(r"loss [\d.]+, validation 0.7 \(best 0.9\), about \d+ s left$", line)


def test_training_ends_when_patience_does(tmp_path: Path) -> None:
    attempt = Attempt(TrainingSettings(20, 0.02, patience=2), scored_task(SCORES))
    trained = attempt.run()
    assert (trained.epochs, trained.planned, trained.kept) == (4, 20, 2)
    assert re.fullmatch(
        r"4 of 20 epochs of 50 samples, stopped early, final loss [\d.]+, "
        r"weights of epoch 2 kept \(validation 0.9\)",
        str(trained),
    )
    assert attempt.shares[-2:] == [0.2, 1.0]  # the callback can still finish its work


def test_patience_and_the_best_weights_survive_being_broken_off(tmp_path: Path) -> None:
    """By the true score of a real metric, which has to come out alike both times."""
    task = make_task(validation_data=lambda: batches(4))
    settings = TrainingSettings(12, 0.1, patience=2)
    whole = Attempt(settings, task)
    wanted = whole.run()
    assert wanted.stopped_early
    settings = replace(settings, checkpoint=Checkpoint(tmp_path / "kept.pt", every_s=0.0))
    for steps in (5 * wanted.epochs - 8, 2):
        Attempt(settings, task, steps).broken_off()
    again = Attempt(settings, task)
    assert again.run() == wanted
    assert same(again.model, whole.model)


def test_patience_without_validation_data_says_what_to_add() -> None:
    wanted = r"patience needs validation_data\(\), which task.py lacks: add validation_data\(\)"
    with pytest.raises(PassRejected, match=wanted):
        Attempt(TrainingSettings(2, 0.02, patience=1)).run()


def test_score_of_nan_is_told() -> None:
    with pytest.raises(PassRejected, match=r"score on validation_data\(\) is nan after epoch 1"):
        Attempt(TrainingSettings(2, 0.02), scored_task([float("nan")])).run()


@dataclass(frozen=True)
class FirstZero:
    count: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (16, 8)

    def restore(self, weight: Tensor) -> None:
        weight[: self.count] = 0


def test_weights_from_before_a_stricter_hold_are_not_the_best() -> None:
    """As in gradual pruning, where the first epochs score best, having the most weights left."""
    attempt = Attempt(TrainingSettings(4, 0.02, patience=1), scored_task([0.9, 0.8, 0.6, 0.7]))
    held.hold(attempt.model, {"0.weight": FirstZero(1)})

    def tighten(share: float) -> None:
        attempt.shares.append(share)
        if share == 0.75:
            held.hold(attempt.model, {"0.weight": FirstZero(5)})
            held.restore(attempt.model)

    settings = replace(attempt.settings, after_step=tighten)
    settings = replace(settings, patience=None)
    trained = train(attempt.model, attempt.task, settings, task_loss(attempt.task))
    assert (trained.kept, trained.score) == (4, 0.7)


def test_frozen_layers_are_still_frozen_after_scoring() -> None:
    attempt = Attempt(TrainingSettings(2, 0.02), scored_task(SCORES))
    attempt.model[1].eval()  # type: ignore[index]
    before = attempt.model[1].running_mean.clone()  # type: ignore[index]
    attempt.run()
    assert torch.equal(attempt.model[1].running_mean, before)  # type: ignore[index]
    assert attempt.model[2].training  # type: ignore[index]
