"""A changed model is trained on, from its own loss and, where asked, the float model's outputs."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from trimtab.compress.distillation import DEFAULT_TEMPERATURE, distilled
from trimtab.compress.passes.base import ModelContext
from trimtab.compress.training import Loss, Trained, TrainingConfig, task_loss, train
from trimtab.task import Task

if TYPE_CHECKING:
    from torch import Tensor, nn

DEFAULT_DISTILLATION = 0.5


class RetrainingConfig(TrainingConfig):
    distill: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of the loss that is the distance to the float model's outputs; "
        f"true: {DEFAULT_DISTILLATION}",
    )
    temperature: float | None = Field(
        default=None,
        gt=0,
        description=f"distill: by how much scores are softened, {DEFAULT_TEMPERATURE:g} unless set",
    )

    @model_validator(mode="before")
    @classmethod
    def _distillation(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        wanted = values.get("distill", 0.0)
        if isinstance(wanted, bool):
            values = {**values, "distill": DEFAULT_DISTILLATION if wanted else 0.0}
        if wanted:
            return {"temperature": DEFAULT_TEMPERATURE, **values}
        if values.get("temperature") is not None:
            raise ValueError("temperature is a setting of distill; set distill too")
        return values

    def loss(self, task: Task, teacher: nn.Module) -> Loss:
        """``teacher`` may be moved: a copy of what others use too."""
        own = task_loss(task)
        if not self.distill:
            return own
        temperature = self.temperature or DEFAULT_TEMPERATURE
        return distilled(own, teacher, self.distill, temperature)

    @property
    def teaching(self) -> str:
        """What the loss was, in words."""
        if not self.distill:
            return "without distillation"
        return (
            f"distilled from the float model (share {self.distill:g} of the loss, "
            f"temperature {self.temperature:g})"
        )


@dataclass(frozen=True)
class Retrained:
    """``mode``: words on the mode it was trained in, where that is not the usual one."""

    trained: Trained
    mode: str

    def __str__(self) -> str:
        return f"{self.trained}{self.mode}"


def cannot_train(model: nn.Module, config: TrainingConfig) -> bool:
    """Whether training is asked for, and nothing can be trained."""
    return config.trains and not any(each.requires_grad for each in model.parameters())


def retrain(
    model: nn.Module, config: RetrainingConfig, context: ModelContext, epochs: int | None = None
) -> Retrained:
    """Changes ``model``, and leaves it in eval mode. Raises PassRejected, UserError."""
    task = context.task
    loss = config.loss(task, copy.deepcopy(task.model))
    model.train(_takes_training_mode(model, task.example_inputs))
    mode = "" if model.training else " in eval mode, the only one it runs in"
    trained = train(model, task, config.training(context, epochs=epochs), loss)
    model.eval()
    return Retrained(trained, mode)


def retrained_at_the_end(model: nn.Module, config: RetrainingConfig, context: ModelContext) -> str:
    """As ``retrain``; what was done, as the end of a sentence."""
    if not config.epochs:
        return "not trained afterwards"
    return f"trained for {retrain(model, config, context)}, {config.teaching}"


def _takes_training_mode(model: nn.Module, inputs: tuple[Tensor, ...]) -> bool:
    """Some models only run in eval mode; their weights are trained in it."""
    import torch

    probe = copy.deepcopy(model).train()
    two = tuple(torch.cat((each, each)) if each.ndim else each for each in inputs)
    try:
        with torch.no_grad():
            probe(*two)
    except Exception:  # a user's forward raises anything
        return False
    return True
