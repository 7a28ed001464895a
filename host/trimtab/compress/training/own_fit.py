"""Training by the task's own fit(), around which the rest stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.compress import held
from trimtab.compress.training.settings import Loss, TrainingSettings
from trimtab.task import Task

if TYPE_CHECKING:
    from torch import nn


def fit_by_task(
    model: nn.Module, task: Task, settings: TrainingSettings, loss: Loss, steps: int
) -> float | None:
    """The loss it gave. Its optimizer is out of reach, so each forward call counts as a step."""
    done = 0

    def before_forward(*_: Any) -> None:
        nonlocal done
        if model.training:
            held.restore(model)
            settings.after_step(min(1.0, done / steps))
            done += 1

    hook = model.register_forward_pre_hook(before_forward)
    try:
        value = task.fit(model, loss, settings.epochs, settings.learning_rate)
    finally:
        hook.remove()
        model.to("cpu")
    settings.after_step(1.0)
    held.restore(model)
    return None if value is None else float(value)
