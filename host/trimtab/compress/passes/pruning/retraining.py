"""What is left of a model is trained on, with or without the float model as its teacher."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from trimtab.compress.distillation import distilled
from trimtab.compress.passes.base import ModelContext
from trimtab.compress.passes.quantization.qat import DEFAULT_DISTILLATION, DEFAULT_TEMPERATURE
from trimtab.compress.training import Trained, TrainingConfig, task_loss, train

if TYPE_CHECKING:
    from torch import Tensor, nn


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


@dataclass(frozen=True)
class Retrained:
    """``mode``: words on the mode it was trained in, where that is not the usual one."""

    trained: Trained
    mode: str

    def __str__(self) -> str:
        return f"{self.trained}{self.mode}"


def retrain(
    model: nn.Module, config: RetrainingConfig, context: ModelContext, epochs: int
) -> Retrained:
    """Changes ``model``, and leaves it in eval mode. Raises PassRejected, UserError."""
    loss = task_loss(context.task)
    if config.distill:
        temperature = config.temperature or DEFAULT_TEMPERATURE
        loss = distilled(loss, context.task.model, config.distill, temperature)
    model.train(_takes_training_mode(model, context.task.example_inputs))
    mode = "" if model.training else " in eval mode, the only one it runs in"
    trained = train(model, context.task, config.training(context, epochs=epochs), loss)
    model.eval()
    return Retrained(trained, mode)


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
