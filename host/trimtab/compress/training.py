"""Training that passes share: the task's data and loss, Adam, a cosine schedule, a fixed seed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from trimtab.compress import held
from trimtab.compress.checkpoints import Checkpoint
from trimtab.compress.passes.base import ModelContext, PassConfig, PassRejected
from trimtab.task import Task, as_arrays, as_tensors, seed_everything
from trimtab.task.calling import user_code

if TYPE_CHECKING:
    from torch import Tensor, nn

Progress = Callable[[str], None]
Optimizer = Literal["adam", "adamw", "sgd"]
Loss = Callable[[tuple["Tensor", ...], Any, Any], "Tensor"]
_PROGRESS_LINES_PER_EPOCH = 4


@dataclass(frozen=True)
class TrainingSettings:
    """``after_step`` is told the share of all steps that are done, 0 before the first.

    ``patience``: epochs without a better validation score after which training ends; None: never.
    """

    epochs: int
    learning_rate: float
    after_step: Callable[[float], None] = lambda share: None
    progress: Progress = lambda line: None
    optimizer: Optimizer = "adam"
    weight_decay: float = 0.0
    patience: int | None = None
    checkpoint: Checkpoint = field(default_factory=Checkpoint)


class TrainingConfig(PassConfig):
    """The settings of every pass that trains; defaults suit training on from a trained model."""

    epochs: int = Field(default=2, ge=0, description="how often the training data is gone through")
    learning_rate: float = Field(
        default=1e-3, gt=0, description="at the start; it falls to 0 along a cosine"
    )
    optimizer: Optimizer = Field(
        default="adam", description="adam, adamw, or sgd with a momentum of 0.9 (Nesterov)"
    )
    weight_decay: float = Field(default=0.0, ge=0, description="of every weight, a step")
    patience: int | None = Field(
        default=None,
        ge=1,
        description="epochs without a better score on validation_data() that end the training",
    )

    def training(
        self,
        context: ModelContext,
        epochs: int | None = None,
        after_step: Callable[[float], None] = lambda share: None,
    ) -> TrainingSettings:
        """Of the pass's next training; ``epochs`` of this one alone, where a pass trains often."""
        return TrainingSettings(
            epochs=self.epochs if epochs is None else epochs,
            learning_rate=self.learning_rate,
            after_step=after_step,
            progress=context.progress,
            optimizer=self.optimizer,
            weight_decay=self.weight_decay,
            patience=self.patience,
            checkpoint=context.checkpoints.next(),
        )


@dataclass(frozen=True)
class TrainingData:
    """What one epoch of a task's train_data holds; ``digest`` is of all its inputs and targets."""

    digest: str
    batches: int
    samples: int


@dataclass(frozen=True)
class Trained:
    """``loss``: the mean over the last epoch; None: the task's own fit() gave none."""

    epochs: int
    samples: int
    loss: float | None

    def __str__(self) -> str:
        loss = "loss not told by fit()" if self.loss is None else f"final loss {self.loss:.4g}"
        epochs = "1 epoch" if self.epochs == 1 else f"{self.epochs} epochs"
        return f"{epochs} of {self.samples} samples, {loss}"


@lru_cache(maxsize=1)
def training_data(task: Task) -> TrainingData:
    """Reads one epoch. Raises UserError where the task has no train_data or it fails."""
    hasher = hashlib.sha256()
    batches = samples = 0
    for inputs, targets in _epoch(task, 0):
        for array in (*as_arrays(inputs), *as_arrays(targets)):
            hasher.update(f"{array.dtype}{array.shape}".encode())
            hasher.update(np.ascontiguousarray(array).tobytes())
        batches += 1
        samples += len(as_tensors(inputs)[0])
    if not batches:
        raise PassRejected("train_data() gives no batch; give at least one")
    return TrainingData(hasher.hexdigest(), batches, samples)


def task_loss(task: Task) -> Loss:
    return lambda inputs, outputs, targets: task.loss(outputs, targets)


def train(model: nn.Module, task: Task, settings: TrainingSettings, loss: Loss) -> Trained:
    """Changes ``model``, which must be in its training form. Raises PassRejected, UserError.

    A task's own ``fit(model, loss, epochs, learning_rate)`` is called instead where it has one;
    it calls ``loss(inputs, outputs, targets)`` and may return the final loss.
    """
    data = training_data(task)
    settings.after_step(0.0)
    if task.provides("fit"):
        return _fit_by_task(model, task, settings, loss, data)
    optimizer = _optimizer(model, settings)
    run = _Run(model, task, settings, loss, optimizer, data)
    return Trained(settings.epochs, data.samples, run.all_epochs())


def _optimizer(model: nn.Module, settings: TrainingSettings) -> Any:
    import torch

    kinds: dict[Optimizer, Callable[..., Any]] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "sgd": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
    }
    trained = [each for each in model.parameters() if each.requires_grad]
    make = kinds[settings.optimizer]
    return make(trained, lr=settings.learning_rate, weight_decay=settings.weight_decay)


class _Run:
    def __init__(
        self,
        model: nn.Module,
        task: Task,
        settings: TrainingSettings,
        loss: Loss,
        optimizer: Any,
        data: TrainingData,
    ) -> None:
        self._model = model
        self._task = task
        self._settings = settings
        self._loss = loss
        self._optimizer = optimizer
        self._steps_per_epoch = data.batches
        self._done = 0

    def all_epochs(self) -> float:
        loss = math.nan
        for epoch in range(self._settings.epochs):
            loss = self._epoch(epoch)
        return loss

    def _epoch(self, epoch: int) -> float:
        losses: list[float] = []
        every = max(1, self._steps_per_epoch // _PROGRESS_LINES_PER_EPOCH)
        for inputs, targets in _epoch(self._task, epoch):
            losses.append(self._step(as_tensors(inputs), targets, epoch))
            if len(losses) % every == 0:
                self._settings.progress(
                    f"training: epoch {epoch + 1} of {self._settings.epochs}, "
                    f"batch {len(losses)} of {self._steps_per_epoch}, loss {losses[-1]:.4g}"
                )
        return sum(losses) / len(losses)

    def _step(self, inputs: tuple[Tensor, ...], targets: Any, epoch: int) -> float:
        total = self._settings.epochs * self._steps_per_epoch
        for group in self._optimizer.param_groups:
            group["lr"] = self._settings.learning_rate * _cosine(self._done / total)
        loss = self._loss(inputs, self._model(*inputs), targets)
        value = float(loss.detach())
        check_finite(value, f"in epoch {epoch + 1}, batch {self._done % self._steps_per_epoch + 1}")
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        held.restore(self._model)
        self._done += 1
        self._settings.after_step(min(1.0, self._done / total))
        return value


def check_finite(loss: float, where: str) -> None:
    """Raises PassRejected."""
    if not math.isfinite(loss):
        raise PassRejected(
            f"training stopped {where}: the loss is {loss}; lower learning_rate, and look for NaN "
            "in train_data()"
        )


def _fit_by_task(
    model: nn.Module, task: Task, settings: TrainingSettings, loss: Loss, data: TrainingData
) -> Trained:
    value = task.fit(model, loss, settings.epochs, settings.learning_rate)
    settings.after_step(1.0)
    final = None if value is None else float(value)
    if final is not None:
        check_finite(final, "by the task's own fit()")
    return Trained(settings.epochs, data.samples, final)


def _epoch(task: Task, epoch: int) -> Iterator[tuple[Any, Any]]:
    """Each epoch has its own seed, so that shuffling and augmentation differ between them."""
    batches = iter(task.train_batches())
    seed_everything(task.seed + epoch)
    while True:
        with user_code(task.path, "train_data()"):
            batch = next(batches, None)
            if batch is None:
                return
            inputs, targets = batch
        yield inputs, targets


def _cosine(share: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
