"""Training after a change of the model's structure, from its own loss and the float model's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from trimtab.compress.cache import arrays_digest
from trimtab.compress.distillation import distilled
from trimtab.compress.passes.base import ModelContext, Need
from trimtab.compress.training import TrainingConfig, task_loss, train, training_data

if TYPE_CHECKING:
    from torch import nn

DEFAULT_DISTILLATION = 0.5
DEFAULT_TEMPERATURE = 4.0


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


def needs(config: RetrainingConfig) -> frozenset[Need]:
    wanted: set[Need] = {"train_data"} if config.epochs else set()
    return frozenset(wanted | {"validation_data"} if config.epochs and config.patience else wanted)


def data_digest(config: RetrainingConfig, context: ModelContext) -> str:
    """Empty: there is no training."""
    if not config.epochs:
        return ""
    digest = training_data(context.task).digest
    if config.patience:
        inputs, targets = context.task.validation
        digest += arrays_digest((*inputs, targets))
    return digest


def frozen(model: nn.Module, config: RetrainingConfig) -> str | None:
    """Why there is nothing to train."""
    if not config.epochs or any(each.requires_grad for each in model.parameters()):
        return None
    return "there are no weights that can be trained; set epochs = 0"


def retrain(model: nn.Module, config: RetrainingConfig, context: ModelContext) -> str:
    """What was done, as the end of a sentence. The model is in eval mode afterwards."""
    if not config.epochs:
        return "not trained afterwards"
    loss = task_loss(context.task)
    told = "without distillation"
    if config.distill:
        temperature = config.temperature or DEFAULT_TEMPERATURE
        loss = distilled(loss, context.task.model, config.distill, temperature)
        told = (
            f"distilled from the float model (share {config.distill:g} of the loss, "
            f"temperature {temperature:g})"
        )
    trained = train(model.train(), context.task, config.training(context), loss)
    model.eval()
    return f"trained for {trained}, {told}"
