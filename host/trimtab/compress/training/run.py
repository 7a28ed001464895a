"""One training, from what it is told to what came of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from trimtab.compress import held
from trimtab.compress.passes.base import PassRejected
from trimtab.compress.training.data import TrainingData, training_data
from trimtab.compress.training.hardware import training_device
from trimtab.compress.training.keeper import Keeper
from trimtab.compress.training.loop import Loop, check_finite
from trimtab.compress.training.outcome import Trained
from trimtab.compress.training.own_fit import fit_by_task
from trimtab.compress.training.randomness import undisturbed
from trimtab.compress.training.settings import Loss, TrainingSettings
from trimtab.compress.training.state import fingerprint, put_weights, weights_of
from trimtab.task import Task

if TYPE_CHECKING:
    from torch import nn


def task_loss(task: Task) -> Loss:
    return lambda inputs, outputs, targets: task.loss(outputs, targets)


def train(model: nn.Module, task: Task, settings: TrainingSettings, loss: Loss) -> Trained:
    """Changes ``model``, which must be in its training form. Raises PassRejected, UserError.

    It is on the CPU before and after. A task's own ``fit(model, loss, epochs, learning_rate)`` is
    called instead of the loop where it has one; it calls ``loss(inputs, outputs, targets)`` and may
    return the final loss. The generators of random numbers are afterwards as they were before.
    """
    import torch

    if not settings.epochs:
        settings.after_step(1.0)
        return Trained(0, 0, None)
    device = torch.device(settings.device) if settings.device else training_device()
    with undisturbed(device.type):
        _check_patience(task, settings)
        data = training_data(task)
        keeper = Keeper(settings, fingerprint(model, settings, data.digest, task.seed))
        kept = keeper.load()
        if kept and "trained" in kept:
            return _finished(model, settings, kept)
        if task.provides("fit"):
            trained = _by_fit(model, task, settings, loss, data)
        else:
            trained = _by_loop(Loop(model, task, settings, loss, data, device), keeper, kept)
            model.to("cpu")
        keeper.save({"trained": asdict(trained), "weights": weights_of(model)})
    return trained


def _check_patience(task: Task, settings: TrainingSettings) -> None:
    if settings.patience is None:
        return
    if task.provides("fit"):
        raise PassRejected(
            "patience is for trimtab's own training, and the task trains by its fit(): leave "
            "patience out, and end the training there"
        )
    if not task.provides("validation_data"):
        raise PassRejected(
            f"patience needs {task.lacks('validation_data')}: add validation_data() to it, or "
            "leave patience out"
        )


def _finished(model: nn.Module, settings: TrainingSettings, kept: dict[str, Any]) -> Trained:
    """A pass that trains several times was broken off after this one."""
    put_weights(model, kept["weights"])
    settings.after_step(1.0)
    held.restore(model)
    trained = Trained(**kept["trained"])
    settings.progress(f"training: done already before it was broken off ({trained})")
    return trained


def _by_loop(loop: Loop, keeper: Keeper, kept: dict[str, Any] | None) -> Trained:
    reached = loop.run(keeper, kept)
    return Trained(
        epochs=reached.epoch,
        samples=loop.data.samples,
        loss=reached.loss,
        planned=loop.settings.epochs,
        kept=reached.best.epoch if reached.best else None,
        score=reached.best.score if reached.best else None,
        device=loop.device.type,
        precision=loop.settings.precision,
    )


def _by_fit(
    model: nn.Module, task: Task, settings: TrainingSettings, loss: Loss, data: TrainingData
) -> Trained:
    final = fit_by_task(model, task, settings, loss, settings.epochs * data.batches)
    if final is not None:
        check_finite(final, "by the task's own fit()")
    return Trained(settings.epochs, data.samples, final, by_fit=True)
