"""Weight sharing by k-means clustering: each layer's weights take one of a few values."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from trimtab.compress import held
from trimtab.compress.passes.base import ModelContext, ModelPass, Need, PassConfig
from trimtab.compress.passes.sharing.palette import Palette, palette_of
from trimtab.compress.passes.sparsity.layer_weights import layer_of, layer_weights, unknown_layers
from trimtab.compress.passes.sparsity.masks import Zeros
from trimtab.compress.training import TrainingConfig, task_loss, train

if TYPE_CHECKING:
    from torch import nn


class ClusterConfig(TrainingConfig):
    clusters: int = Field(
        default=32, ge=2, le=65536, description="how many values each layer's weights may have"
    )
    preserve_zeros: bool = Field(
        default=True, description="weights that are zero stay so: zero is one of the values"
    )
    skip: list[str] = Field(
        default_factory=list,
        description="layers that keep their own values: names, or patterns as *.fc",
    )
    embeddings: bool = Field(default=True, description="embeddings get palettes as well")


class ClusterPass(ModelPass[ClusterConfig]):
    name: ClassVar[str] = "cluster"
    config: ClassVar[type[PassConfig]] = ClusterConfig
    modules: ClassVar[tuple[str, ...]] = ("torch",)
    never_after: ClassVar[frozenset[str]] = frozenset({"qat"})

    def requires(self, config: ClusterConfig) -> frozenset[Need]:
        return frozenset({"train_data"} if config.epochs else ())

    def rejects(self, model: nn.Module, config: ClusterConfig) -> str | None:
        wrong = unknown_layers(model, config.skip)
        if wrong:
            return wrong
        if not layer_weights(model, config.skip, config.embeddings):
            return "cluster finds no weights of layers to share values"
        if not config.preserve_zeros and _has_zeros(model):
            return (
                "preserve_zeros = false would undo the zeros of the sparsify before; leave it out"
            )
        return None

    def data_key(self, config: ClusterConfig, context: ModelContext) -> str:
        return config.data_digest(context)

    def apply(
        self, model: nn.Module, config: ClusterConfig, context: ModelContext
    ) -> tuple[nn.Module, str]:
        weights = layer_weights(model, config.skip, config.embeddings)
        palettes = {
            name: palette_of(each, config.clusters, config.preserve_zeros)
            for name, each in weights.items()
        }
        held.hold(model, dict(palettes))
        held.restore(model)
        trained = "without training"
        if config.epochs:
            task = context.task
            done = train(model.train(), task, config.training(context), task_loss(task))
            held.restore(model.eval())
            trained = f"trained with them ({done})"
        return model, _told(palettes, weights, config.clusters, trained)


def _has_zeros(model: nn.Module) -> bool:
    return any(isinstance(each, Zeros) for each in held.held(model).values())


def _told(
    palettes: dict[str, Palette], weights: dict[str, nn.Parameter], clusters: int, trained: str
) -> str:
    count = sum(each.numel() for each in weights.values())
    most = max(each.size for each in palettes.values())
    bits = max(1, (clusters - 1).bit_length())
    zeros = any(each.pinned for each in palettes.values())
    return (
        f"the {count:,} weights of {_layers(weights)} share at most {most} values a layer, by "
        f"k-means{', zeros kept' if zeros else ''}, {trained}; a float file stays as large (no "
        f"format here stores the {bits} bits a weight that would do), compressed it is smaller"
    )


def _layers(weights: dict[str, nn.Parameter]) -> str:
    count = len({layer_of(name) for name in weights})
    return "1 layer" if count == 1 else f"{count} layers"
