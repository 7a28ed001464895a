"""Channels, neurons and attention heads taken out of a model, at once or in steps of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, model_validator

from trimtab.compress.cache import arrays_digest
from trimtab.compress.model_facts import model_facts
from trimtab.compress.passes.base import (
    Dial,
    ModelContext,
    ModelPass,
    Need,
    PassConfig,
    PassRejected,
)
from trimtab.compress.passes.pruning import lineage, planning, widths
from trimtab.compress.passes.pruning.amounts_loss import loss_digest
from trimtab.compress.passes.pruning.checking import removal_problem
from trimtab.compress.passes.pruning.couplings import Coupling
from trimtab.compress.passes.pruning.importance import CALIBRATION_SAMPLES, Importance, scores
from trimtab.compress.passes.pruning.removal import without
from trimtab.compress.retraining import Retrained, RetrainingConfig, cannot_train, retrain
from trimtab.compress.training import training_data

if TYPE_CHECKING:
    from torch import nn


class PruneConfig(RetrainingConfig):
    structure: planning.Structure = Field(
        default="channel",
        description="channel: of convolutions, and hidden units of linear layers; neuron: the "
        "latter alone; head: of attention; all: heads and channels",
    )
    amount: float = Field(
        default=0.5, gt=0, le=widths.LARGEST_SHARE, description="share of the structure removed"
    )
    macs: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="instead of amount: the share of multiply-accumulates that is left at most",
    )
    importance: Importance = Field(
        default="l2",
        description="what is removed first: least weights (l1, l2), batch norm scale (bn-scale), "
        "effect on the loss (taylor), or activation",
    )
    ranking: planning.Ranking = Field(
        default="layer",
        description="layer: each loses the same share; global: those that matter less lose more",
    )
    round_to: int = Field(
        default=8,
        ge=1,
        le=64,
        description="numbers of channels left are multiples of this; 1: any. Heads are never "
        "rounded",
    )
    steps: int = Field(default=1, ge=1, description="how many cuts the amount is divided into")
    epochs_per_step: int = Field(
        default=0, ge=0, description="training after each cut but the last, which epochs follow"
    )
    keep: list[str] = Field(
        default=[], description="layers that keep all they give, by name or pattern (layer1.*)"
    )
    amounts: planning.Amounts = Field(
        default="uniform",
        description="shares of the layers: all alike; by what each loses (sensitivity); by what "
        "each costs on a device (profile)",
    )
    device: str | None = Field(
        default=None,
        description="profile: the device that is measured, the project's own unless set",
    )

    @model_validator(mode="after")
    def _agree(self) -> PruneConfig:
        if self.device is not None and self.amounts != "profile":
            raise ValueError("device is a setting of amounts = profile; set that too")
        if self.ranking == "global" and self.amounts != "uniform":
            raise ValueError(
                f"ranking = global and amounts = {self.amounts} both choose the layers' shares; "
                "leave one out"
            )
        if self.epochs_per_step and self.steps == 1:
            raise ValueError("epochs_per_step is between steps, and there is one; raise steps")
        return self

    @property
    def trains(self) -> bool:
        return bool(self.epochs or (self.steps > 1 and self.epochs_per_step))

    @property
    def wish(self) -> planning.Wish:
        return planning.Wish(
            structure=self.structure,
            amount=self.amount,
            macs=self.macs,
            importance=self.importance,
            ranking=self.ranking,
            round_to=self.round_to,
            keep=tuple(self.keep),
            amounts=self.amounts,
            device=self.device,
        )


class PrunePass(ModelPass[PruneConfig]):
    name: ClassVar[str] = "prune"
    config: ClassVar[type[PassConfig]] = PruneConfig
    modules: ClassVar[tuple[str, ...]] = ("torch_pruning",)
    # Heads after channels, say; each has its own settings.
    only_once: ClassVar[bool] = False
    never_after: ClassVar[frozenset[str]] = frozenset({"sparsify", "cluster", "qat"})
    dial: ClassVar[Dial | None] = Dial("amount", 0.1, 0.9, instead=("macs",))

    def requires(self, config: PruneConfig) -> frozenset[Need]:
        ranked: dict[str, Need] = {"taylor": "train_data", "activation": "calibration_data"}
        ranked_on = ranked.get(config.importance)
        return config.data_needs() | ({ranked_on} if ranked_on else set())

    def data_key(self, config: PruneConfig, context: ModelContext) -> str:
        needs, task = set(self.requires(config)), context.task
        if config.amounts != "uniform":  # judged on the one, or else on the other
            judged = task.provides("validation_data")
            needs.add("validation_data" if judged else "calibration_data")
        digests = []
        if "train_data" in needs:
            digests.append(training_data(task).digest)
        if "calibration_data" in needs:
            digests.append(arrays_digest(task.calibration(CALIBRATION_SAMPLES)))
        if config.amounts != "uniform":
            digests.append(loss_digest(task))
        return " ".join(digests)

    def measures_on(self, config: PruneConfig) -> str | None:
        return (config.device or "") if config.amounts == "profile" else None

    def rejects(self, model: nn.Module, config: PruneConfig) -> str | None:
        if not cannot_train(model, config):
            return None
        return (
            "prune trains what is left, and the model has no weights that can be trained; "
            "set epochs = 0"
        )

    def apply(
        self, model: nn.Module, config: PruneConfig, context: ModelContext
    ) -> tuple[nn.Module, str]:
        inputs = context.task.example_inputs
        found = planning.removable(model, config.wish, inputs)
        couplings = [each for each in found if each.units]
        kept, shares = planning.plan(model, couplings, config.wish, context)
        if all(kept[each.name] == len(each.units) for each in couplings):
            raise PassRejected(_too_little(couplings, config))
        smaller, trained = _in_steps(model, couplings, kept, config, context)
        facts = lineage.Facts(
            before=model_facts(model, inputs),
            after=model_facts(smaller, inputs),
            changed=lineage.changed_widths(model, smaller),
            whole=tuple((each.name, each.reason) for each in found if not each.units),
            trained=tuple(trained),
            shares=shares,
        )
        return smaller, lineage.sentence(config, facts)


def _too_little(couplings: Sequence[Coupling], config: PruneConfig) -> str:
    widest = max(couplings, key=lambda each: len(each.units) * each.width)
    channels = len(widest.units) * widest.width
    return (
        f"nothing is removed: rounded to multiples of {config.round_to}, every layer stays as it "
        f"is (the widest, {widest.name}, has {channels}); raise amount or lower round_to"
    )


def _in_steps(
    model: nn.Module,
    couplings: Sequence[Coupling],
    kept: widths.Kept,
    config: PruneConfig,
    context: ModelContext,
) -> tuple[nn.Module, list[Retrained]]:
    """Each step ranks what is left anew."""
    inputs = context.task.example_inputs
    whole = {each.name: len(each.units) for each in couplings}
    trained = []
    for step in range(1, config.steps + 1):
        if step > 1:
            parts = planning.parts_of(model, config.structure, inputs)
            couplings = [each for each in parts if each.name in whole]
        ranks = scores(model, couplings, config.importance, context.task)
        now = {n: whole[n] - (whole[n] - kept[n]) * step // config.steps for n in whole}
        gone = widths.least(couplings, ranks, now)
        problem = removal_problem(model, gone, inputs)
        if problem:
            raise PassRejected(f"prune went wrong over all layers together: {problem}")
        model = without(model, gone)
        epochs = config.epochs if step == config.steps else config.epochs_per_step
        context.progress(f"prune: step {step} of {config.steps}, {len(gone)} parts removed")
        if epochs:
            trained.append(retrain(model, config, context, epochs))
    return model, trained
