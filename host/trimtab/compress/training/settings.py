"""What a training is told, and the settings that passes share for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from trimtab.compress.checkpoints import Checkpoint
from trimtab.compress.passes.base import ModelContext, Need, PassConfig
from trimtab.compress.training.data import training_data
from trimtab.compress.training.precision import Precision

if TYPE_CHECKING:
    from torch import Tensor

Progress = Callable[[str], None]
Optimizer = Literal["adam", "adamw", "sgd"]
Loss = Callable[[tuple["Tensor", ...], Any, Any], "Tensor"]


@dataclass(frozen=True)
class TrainingSettings:
    """``after_step`` is told the share of all steps that are done, 0 before the first.

    A training that goes on from a checkpoint tells it the share reached there first, with the
    weights as they were then. ``patience``: epochs without a better validation score after which
    training ends; None: never. ``device``: "cpu" for a model that cannot be moved; None: the
    fastest there is.
    """

    epochs: int
    learning_rate: float
    after_step: Callable[[float], None] = lambda share: None
    progress: Progress = lambda line: None
    optimizer: Optimizer = "adam"
    weight_decay: float = 0.0
    patience: int | None = None
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    device: str | None = None
    precision: Precision = "float32"


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
    precision: Precision = Field(
        default="float32",
        description="float32, or bfloat16: products in half the bits (torch's autocast), faster "
        "where the processor has them; weights stay float32",
    )

    @property
    def trains(self) -> bool:
        return self.epochs > 0

    def data_needs(self) -> frozenset[Need]:
        if not self.trains:
            return frozenset()
        scored: frozenset[Need] = frozenset({"validation_data"} if self.patience else ())
        return scored | {"train_data"}

    def data_digest(self, context: ModelContext) -> str:
        """Of all that the training depends on; empty: there is none."""
        return training_data(context.task).digest if self.trains else ""

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
            precision=self.precision,
        )
