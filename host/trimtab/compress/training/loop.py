"""The training loop: epochs of batches, a cosine, the best weights, a checkpoint now and then."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from trimtab.compress import held
from trimtab.compress.passes.base import PassRejected
from trimtab.compress.training.data import TrainingData, epoch_batches
from trimtab.compress.training.hardware import moved
from trimtab.compress.training.keeper import Keeper
from trimtab.compress.training.outcome import time_left
from trimtab.compress.training.precision import as_float32, multiplying_in
from trimtab.compress.training.randomness import RandomStream, undisturbed
from trimtab.compress.training.settings import Loss, Optimizer, TrainingSettings
from trimtab.compress.training.state import Best, Reached, put_weights, weights_of
from trimtab.compress.validation import validation_score
from trimtab.task import Task, as_tensors

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

_PROGRESS_LINES_PER_EPOCH = 4
_SEEDS_PER_TRAINING = 10_000
# The model draws others than the data does: dropout must not follow the order of the samples.
_DRAWING_SEED = 1_000_003


class Loop:
    """Moves the model to ``device``, and leaves it there."""

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        settings: TrainingSettings,
        loss: Loss,
        data: TrainingData,
        device: torch.device,
    ) -> None:
        self._model = model.to(device)
        self._task = task
        self.settings = settings
        self._loss = loss
        self.data = data
        self._batches = data.batches
        self.device = device
        self._optimizer = _optimizer(model, settings)
        # Trainings of one pass, and their epochs, each draw others.
        self._first_seed = task.seed + _SEEDS_PER_TRAINING * settings.checkpoint.number
        # A task's own loss() is seeded at each call: what the model draws must not begin anew too.
        self._streams = {
            name: RandomStream(self._first_seed + _DRAWING_SEED + number, device.type)
            for number, name in enumerate(("model", "step"))
        }
        self._scored = task.provides("validation_data")

    def run(self, keeper: Keeper, kept: dict[str, Any] | None) -> Reached:
        """On from what ``kept`` holds; the best weights are the model's afterwards."""
        reached = self._go_on(kept) if kept else Reached()
        self.settings.after_step(self._share(reached))
        self._begun = (time.monotonic(), reached.steps)
        for epoch in range(reached.epoch, self.settings.epochs):
            self._epoch(reached, keeper)
            if self._is_enough(reached):
                break
            if epoch + 1 < self.settings.epochs:
                keeper.save(self._state(reached))
        if reached.best is not None:
            put_weights(self._model, reached.best.weights)
        if reached.epoch < self.settings.epochs:
            self.settings.after_step(1.0)
        held.restore(self._model)
        return reached

    def _go_on(self, kept: dict[str, Any]) -> Reached:
        reached = Reached.from_data(kept["reached"])
        if reached.best is not None:
            reached.best.weights = moved(reached.best.weights, self.device)
        put_weights(self._model, kept["weights"])
        self._optimizer.load_state_dict(kept["optimizer"])
        for name, stream in self._streams.items():
            stream.go_on_from(kept["streams"][name])
        self.settings.progress(
            f"training: goes on from its checkpoint, epoch {reached.epoch + 1} of "
            f"{self.settings.epochs}, after batch {reached.batch} of {self._batches}"
        )
        return reached

    def _state(self, reached: Reached) -> dict[str, Any]:
        return {
            "reached": reached.as_data(),
            "weights": weights_of(self._model),
            "optimizer": self._optimizer.state_dict(),
            "streams": {name: stream.as_data() for name, stream in self._streams.items()},
        }

    def _epoch(self, reached: Reached, keeper: Keeper) -> None:
        every = max(1, self._batches // _PROGRESS_LINES_PER_EPOCH)
        seed = self._first_seed + reached.epoch
        batches = epoch_batches(self._task, seed, skipped=reached.batch)
        for inputs, targets in batches:
            with self._streams["step"]:
                reached.losses.append(self._step(as_tensors(inputs), targets, reached))
                reached.batch += 1
                reached.steps += 1
                self.settings.after_step(self._share(reached))
            if reached.batch % every == 0:
                self._say(reached, f"batch {reached.batch} of {self._batches}", reached.losses[-1])
            if keeper.due and reached.batch < self._batches:
                keeper.save(self._state(reached))
        if not reached.losses:
            raise PassRejected(
                f"train_data() gave no batch in epoch {reached.epoch + 1}; let it begin anew at "
                "each call"
            )
        reached.end_epoch()

    def _step(self, inputs: tuple[Tensor, ...], targets: Any, reached: Reached) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * _cosine(self._share(reached))
        inputs, targets = moved(inputs, self.device), moved(targets, self.device)
        with multiplying_in(self.settings.precision, self.device.type):
            with self._streams["model"]:
                outputs = as_float32(self._model(*inputs))
            loss = self._loss(inputs, outputs, targets)
        value = float(loss.detach())
        check_finite(value, f"in epoch {reached.epoch + 1}, batch {reached.batch + 1}")
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        held.restore(self._model)
        return value

    def _is_enough(self, reached: Reached) -> bool:
        """After an epoch: whether there was none better for so long as ``patience`` says."""
        if not self._scored:
            return False
        with undisturbed(self.device.type):
            score = validation_score(self._model, self._task)
        if not math.isfinite(score):
            raise PassRejected(
                f"the score on validation_data() is {score} after epoch {reached.epoch}; look for "
                "NaN in it, and in metric()"
            )
        best = reached.best
        if best is None or score > best.score or not held.keeps(self._model, best.weights):
            best = reached.best = Best(reached.epoch, score, weights_of(self._model))
        self._say(
            reached, f"validation {score:.4g} (best {best.score:.4g})", reached.loss, ended=True
        )
        patience = self.settings.patience
        return patience is not None and reached.epoch - best.epoch >= patience

    def _say(self, reached: Reached, what: str, loss: float, ended: bool = False) -> None:
        number = reached.epoch + (0 if ended else 1)
        parts = [f"training: epoch {number} of {self.settings.epochs}"]
        parts += [f"loss {loss:.4g}", what] if ended else [what, f"loss {loss:.4g}"]
        left = self.settings.epochs * self._batches - reached.steps
        begun, steps = self._begun
        if left > 0:
            each = (time.monotonic() - begun) / (reached.steps - steps)
            parts.append(time_left(left * each))
        self.settings.progress(", ".join(parts))

    def _share(self, reached: Reached) -> float:
        return min(1.0, reached.steps / (self.settings.epochs * self._batches))


def check_finite(loss: float, where: str) -> None:
    """Raises PassRejected."""
    if not math.isfinite(loss):
        raise PassRejected(
            f"training stopped {where}: the loss is {loss}; lower learning_rate, and look for NaN "
            "in train_data()"
        )


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


def _cosine(share: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * share))
