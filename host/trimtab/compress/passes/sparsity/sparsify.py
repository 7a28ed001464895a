"""Magnitude pruning of single weights: the smallest become zero (Han et al., 2015).

The tensors keep their shapes, arXiv:1506.02626. Gradual pruning: Zhu & Gupta, 2017,
arXiv:1710.01878. N:M patterns: Mishra et al., 2021, arXiv:2104.08378.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from trimtab.compress import held
from trimtab.compress.passes.base import Dial, ModelContext, ModelPass, Need, PassConfig
from trimtab.compress.passes.sparsity import masks
from trimtab.compress.passes.sparsity.facts import Sparsity
from trimtab.compress.passes.sparsity.layer_weights import (
    input_dimension,
    layer_weights,
    unknown_layers,
)
from trimtab.compress.passes.sparsity.masks import Masks, Pattern, Tensors
from trimtab.compress.passes.sparsity.schedule import MasksAt, Schedule, Sparsifier
from trimtab.compress.training import TrainingConfig, task_loss, train, training_data

if TYPE_CHECKING:
    from torch import nn

_DEFAULT_AMOUNT = 0.5
_CRITERIA = ("amount", "threshold", "pattern")


class SparsifyConfig(TrainingConfig):
    amount: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="magnitude pruning: share of the weights that become zero, the smallest; "
        f"{_DEFAULT_AMOUNT:g} unless threshold or pattern is set",
    )
    scope: Literal["global", "layer"] = Field(
        default="global",
        description="amount: of all layers' weights together, or of each layer's",
    )
    threshold: float | None = Field(
        default=None, gt=0, description="instead: weights of at most this magnitude become zero"
    )
    pattern: str | None = Field(
        default=None,
        description="instead: N:M, as 2:4, keeps N of each M weights in a row along a layer's "
        "inputs",
    )
    begin: float = Field(
        default=0.0, ge=0, le=1, description="share of the training steps at which zeros begin"
    )
    end: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="share of the training steps at which all zeros are there; from begin on "
        "they become more along a cubic curve",
    )
    every: int = Field(default=10, ge=1, description="training steps from one change to the next")
    skip: list[str] = Field(
        default_factory=list, description="layers that keep all weights: names, or patterns as *.fc"
    )
    embeddings: bool = Field(default=False, description="embeddings lose weights as well")

    @model_validator(mode="before")
    @classmethod
    def _one_criterion(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        given = [name for name in _CRITERIA if values.get(name) is not None]
        if len(given) > 1:
            raise ValueError(f"{given[0]} and {given[1]} exclude each other; keep one of them")
        return values if given else {**values, "amount": _DEFAULT_AMOUNT}

    @model_validator(mode="after")
    def _in_order(self) -> SparsifyConfig:
        if self.begin > self.end:
            raise ValueError(f"begin {self.begin:g} is after end {self.end:g}; set begin <= end")
        if self.pattern is not None:
            Pattern.parse(self.pattern)
        return self


class SparsifyPass(ModelPass[SparsifyConfig]):
    name: ClassVar[str] = "sparsify"
    config: ClassVar[type[PassConfig]] = SparsifyConfig
    modules: ClassVar[tuple[str, ...]] = ("torch",)
    never_after: ClassVar[frozenset[str]] = frozenset({"cluster", "qat"})
    dial: ClassVar[Dial | None] = Dial(
        "amount", weakest=0.1, strongest=0.95, instead=("threshold", "pattern")
    )

    def requires(self, config: SparsifyConfig) -> frozenset[Need]:
        return frozenset({"train_data"} if config.epochs else ())

    def rejects(self, model: nn.Module, config: SparsifyConfig) -> str | None:
        wrong = unknown_layers(model, config.skip)
        if wrong:
            return wrong
        weights = layer_weights(model, config.skip, config.embeddings)
        if not weights:
            return "sparsify finds no weights of layers to set to zero"
        if config.pattern is not None and not _fitting(model, weights, config.pattern):
            return (
                f"no layer's inputs come in groups of {Pattern.parse(config.pattern).of}, as "
                f"pattern {config.pattern} wants; set amount instead"
            )
        return None

    def data_key(self, config: SparsifyConfig, context: ModelContext) -> str:
        return config.data_digest(context)

    def apply(
        self, model: nn.Module, config: SparsifyConfig, context: ModelContext
    ) -> tuple[nn.Module, str]:
        every = layer_weights(model, config.skip, config.embeddings)
        weights = _fitting(model, every, config.pattern) if config.pattern else every
        at = _masks_at(model, config)
        if not config.epochs:
            Sparsifier(model, weights, at, Schedule(0, 0, 1, 1)).apply(1.0)
            trained = "in one step, without training"
        else:
            trained = _train(model, weights, at, config, context)
        return model, f"{_told(config)}, {trained}: {Sparsity.of(weights)}{_left(every, weights)}"


def _train(
    model: nn.Module,
    weights: dict[str, nn.Parameter],
    at: MasksAt,
    config: SparsifyConfig,
    context: ModelContext,
) -> str:
    task = context.task
    steps = config.epochs * training_data(task).batches
    schedule = Schedule(config.begin, config.end, config.every, steps)
    sparsifier = Sparsifier(model, weights, at, schedule)
    settings = config.training(context, after_step=sparsifier.after_step)
    trained = train(model.train(), task, settings, task_loss(task))
    model.eval()
    held.restore(model)
    sparsifier.apply(1.0)
    return f"{_when(config)} ({trained})"


def _when(config: SparsifyConfig) -> str:
    if config.begin == config.end:
        return f"at {config.end:.0%} of the training"
    return f"from {config.begin:.0%} to {config.end:.0%} of the training"


def _masks_at(model: nn.Module, config: SparsifyConfig) -> MasksAt:
    if config.pattern is not None:
        pattern = Pattern.parse(config.pattern)
        return partial(_patterned, model, pattern)
    if config.threshold is not None:
        return partial(_below, config.threshold)
    amount = config.amount or _DEFAULT_AMOUNT
    return partial(_together if config.scope == "global" else _each, amount)


def _together(amount: float, weights: Tensors, progress: float) -> Masks:
    return masks.smallest_together(weights, amount * progress)


def _each(amount: float, weights: Tensors, progress: float) -> Masks:
    return {name: masks.smallest(each, amount * progress) for name, each in weights.items()}


def _below(threshold: float, weights: Tensors, progress: float) -> Masks:
    return {name: masks.below(each, threshold * progress) for name, each in weights.items()}


def _patterned(model: nn.Module, pattern: Pattern, weights: Tensors, progress: float) -> Masks:
    zeros = round((pattern.of - pattern.keep) * progress)
    return {
        name: masks.in_pattern(each, pattern, input_dimension(model, name), zeros)
        for name, each in weights.items()
    }


def _fitting(
    model: nn.Module, weights: dict[str, nn.Parameter], pattern: str
) -> dict[str, nn.Parameter]:
    wanted = Pattern.parse(pattern)
    return {
        name: each
        for name, each in weights.items()
        if wanted.fits(each, input_dimension(model, name))
    }


def _told(config: SparsifyConfig) -> str:
    if config.pattern is not None:
        pattern = Pattern.parse(config.pattern)
        return f"the {pattern.of - pattern.keep} smallest of each {pattern.of} weights set to zero"
    if config.threshold is not None:
        return f"weights of at most {config.threshold:g} set to zero"
    where = "all layers together" if config.scope == "global" else "each layer"
    return f"the smallest {config.amount:.1%} of the weights of {where} set to zero"


def _left(every: dict[str, nn.Parameter], chosen: dict[str, nn.Parameter]) -> str:
    left = [name for name in every if name not in chosen]
    if not left:
        return ""
    return f"; not in groups of that size, left as they are: {', '.join(left)}"
