"""The pass ``factorize``: layers replaced by products of smaller ones, where that saves work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from trimtab.compress.cache import arrays_digest
from trimtab.compress.passes.base import Dial, ModelContext, ModelPass, Need, PassConfig
from trimtab.compress.passes.factorization.settings import Method
from trimtab.compress.retraining import RetrainingConfig, cannot_train, retrained_at_the_end

if TYPE_CHECKING:
    from torch import nn

DEFAULT_RATIO = 0.5
_AMOUNTS = ("ratio", "energy", "macs")


class FactorizeConfig(RetrainingConfig):
    method: Method = Field(
        default="auto",
        description="of convolutions: tucker2, spatial-svd, cp, or auto, for each layer the better "
        "of the first two; linear layers and convolutions of size 1 are written by SVD",
    )
    ratio: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="share of its multiply-accumulates that each layer keeps at most; "
        f"{DEFAULT_RATIO} where neither energy nor macs is set",
    )
    energy: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="instead: share of its squared singular values that each layer keeps at least",
    )
    macs: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="instead: share of the model's multiply-accumulates that is left; layers that "
        "lose less are cut more",
    )
    round_to: int = Field(default=8, ge=1, description="ranks are multiples of it")
    skip: tuple[str, ...] = Field(
        default=(), strict=False, description="layers to leave, by names with * and ?"
    )
    embeddings: bool = Field(
        default=False,
        description="tables too, as a smaller one and a linear layer: fewer bytes, more work",
    )
    data_aware: bool = Field(
        default=False,
        description="errors count by the outputs they cause on calibration data",
    )
    calibration_samples: int = Field(
        default=256, ge=1, description="data_aware: how many samples that is judged on"
    )

    @model_validator(mode="before")
    @classmethod
    def _one_amount(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        given = [name for name in _AMOUNTS if values.get(name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} say the same in two ways; keep one of them")
        return values if given else {**values, "ratio": DEFAULT_RATIO}


class FactorizePass(ModelPass[FactorizeConfig]):
    name: ClassVar[str] = "factorize"
    config: ClassVar[type[PassConfig]] = FactorizeConfig
    modules: ClassVar[tuple[str, ...]] = ("torch", "tensorly")
    # A product has other weights than those that were made zero or equal.
    never_after: ClassVar[frozenset[str]] = frozenset({"sparsify", "cluster"})
    dial: ClassVar[Dial | None] = Dial(
        "ratio", weakest=0.9, strongest=0.2, instead=("energy", "macs")
    )

    def requires(self, config: FactorizeConfig) -> frozenset[Need]:
        needs = config.data_needs()
        return needs | {"calibration_data"} if config.data_aware else needs

    def rejects(self, model: nn.Module, config: FactorizeConfig) -> str | None:
        if cannot_train(model, config):
            return "there are no weights that can be trained; set epochs = 0"
        return None

    def data_key(self, config: FactorizeConfig, context: ModelContext) -> str:
        digest = config.data_digest(context)
        if config.data_aware:
            digest += arrays_digest(context.task.calibration(config.calibration_samples))
        return digest

    def apply(
        self, model: nn.Module, config: FactorizeConfig, context: ModelContext
    ) -> tuple[nn.Module, str]:
        from trimtab.compress.passes.factorization.rewriting import rewritten

        told = rewritten(model, config, context)
        return model, f"{told}; {retrained_at_the_end(model, config, context)}"
