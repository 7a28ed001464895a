"""Transformer layers that share one set of weights (ALBERT: Lan et al., 2019, arXiv:1909.11942)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from trimtab.compress.passes.base import ModelContext, ModelPass, Need, PassConfig
from trimtab.compress.passes.sharing.alike_layers import Run, Start, runs_of_alike, share
from trimtab.compress.training import TrainingConfig, task_loss, train

if TYPE_CHECKING:
    from torch import nn


class ShareLayersConfig(TrainingConfig):
    group: Annotated[int, Field(ge=2)] | Literal["all"] = Field(
        default=2, description="how many layers in a row share their weights, or all"
    )
    start: Start = Field(
        default="mean", description="what they begin with: the mean of their weights, or the first"
    )


class ShareLayersPass(ModelPass[ShareLayersConfig]):
    name: ClassVar[str] = "share_layers"
    config: ClassVar[type[PassConfig]] = ShareLayersConfig
    modules: ClassVar[tuple[str, ...]] = ("torch",)
    never_after: ClassVar[frozenset[str]] = frozenset({"sparsify", "cluster", "qat"})

    def requires(self, config: ShareLayersConfig) -> frozenset[Need]:
        return frozenset({"train_data"} if config.epochs else ())

    def rejects(self, model: nn.Module, config: ShareLayersConfig) -> str | None:
        if runs_of_alike(model):
            return None
        return (
            "share_layers finds no nn.ModuleList with layers of one class and shape in a row, as a "
            "transformer's encoder has; leave it out"
        )

    def data_key(self, config: ShareLayersConfig, context: ModelContext) -> str:
        return config.data_digest(context)

    def apply(
        self, model: nn.Module, config: ShareLayersConfig, context: ModelContext
    ) -> tuple[nn.Module, str]:
        before = _count(model)
        told = [_share(run, config) for run in runs_of_alike(model)]
        trained = "without training"
        if config.epochs:
            task = context.task
            done = train(model.train(), task, config.training(context), task_loss(task))
            model.eval()
            trained = f"trained with it ({done})"
        return model, (
            f"{'; '.join(told)}, begun with {_begun(config.start)}, {trained}: {_count(model):,} "
            f"parameters instead of {before:,}; as many operations"
        )


def _share(run: Run, config: ShareLayersConfig) -> str:
    groups = run.groups(None if config.group == "all" else config.group)
    for each in groups:
        share(each, config.start)
    sets = "1 set" if len(groups) == 1 else f"{len(groups)} sets"
    return f"{len(run.layers)} layers of {run.name or 'the model'} share {sets} of weights"


def _begun(start: Start) -> str:
    return "the mean of their weights" if start == "mean" else "the first one's"


def _count(model: nn.Module) -> int:
    return sum(each.numel() for each in model.parameters())
