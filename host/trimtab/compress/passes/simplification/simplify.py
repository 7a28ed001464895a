"""The pass ``simplify``: what has no effect is taken out, and blocks that have little."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, model_validator

from trimtab.compress.cache import arrays_digest
from trimtab.compress.passes.base import Dial, ModelContext, ModelPass, Need, PassConfig
from trimtab.compress.retraining import RetrainingConfig, cannot_train, retrained_at_the_end

if TYPE_CHECKING:
    from torch import nn


class SimplifyConfig(RetrainingConfig):
    epochs: int = Field(
        default=0, ge=0, description="how often the training data is gone through afterwards"
    )
    drop_blocks: int = Field(
        default=0, ge=0, description="how many residual blocks or encoder layers are taken out"
    )
    drop_share: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="instead: share of those that can be taken out, rounded down",
    )
    merge_linear: bool = Field(
        default=True,
        description="linear layers with nothing between them become one where that saves work",
    )
    batch_norm: bool = Field(
        default=False,
        description="batch norm is folded into the layer before it; exporters and runtimes do so "
        "anyway, and training, pruning by its scales and qat are better off with it",
    )
    dropout: bool = Field(
        default=False,
        description="dropout is taken out; it is in no exported file, and later training uses it",
    )
    keep: tuple[str, ...] = Field(
        default=(), strict=False, description="layers and blocks to leave, by names with * and ?"
    )
    calibration_samples: int = Field(
        default=256, ge=1, description="how many samples blocks are compared on"
    )

    @model_validator(mode="after")
    def _one_amount(self) -> SimplifyConfig:
        if self.drop_blocks and self.drop_share:
            raise ValueError("drop_blocks and drop_share say the same in two ways; keep one")
        return self

    @property
    def drops(self) -> bool:
        return bool(self.drop_blocks or self.drop_share)


class SimplifyPass(ModelPass[SimplifyConfig]):
    name: ClassVar[str] = "simplify"
    config: ClassVar[type[PassConfig]] = SimplifyConfig
    modules: ClassVar[tuple[str, ...]] = ("torch",)
    # What those made equal or zero is known by the layers' names, some of which change here.
    never_after: ClassVar[frozenset[str]] = frozenset({"sparsify", "cluster"})
    dial: ClassVar[Dial | None] = Dial(
        "drop_share", weakest=0.0, strongest=0.5, instead=("drop_blocks",)
    )

    def requires(self, config: SimplifyConfig) -> frozenset[Need]:
        needs = config.data_needs()
        return needs | {"calibration_data"} if config.drops else needs

    def rejects(self, model: nn.Module, config: SimplifyConfig) -> str | None:
        if cannot_train(model, config):
            return "there are no weights that can be trained; set epochs = 0"
        return None

    def data_key(self, config: SimplifyConfig, context: ModelContext) -> str:
        digest = config.data_digest(context)
        if config.drops:
            digest += arrays_digest(context.task.calibration(config.calibration_samples))
        return digest

    def apply(
        self, model: nn.Module, config: SimplifyConfig, context: ModelContext
    ) -> tuple[nn.Module, str]:
        from trimtab.compress.passes.simplification.simplifying import simplified

        told = simplified(model.eval(), config, context)
        return model, f"{told}; {retrained_at_the_end(model, config, context)}"
