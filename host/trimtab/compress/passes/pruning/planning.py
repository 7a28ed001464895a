"""What can be removed from a model, and how much of each part of it will be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from trimtab.compress.model_facts import model_facts
from trimtab.compress.passes.base import ModelContext, PassRejected
from trimtab.compress.passes.pruning import widths
from trimtab.compress.passes.pruning.checking import checked
from trimtab.compress.passes.pruning.couplings import Coupling, couplings_of
from trimtab.compress.passes.pruning.heads import heads_of
from trimtab.compress.passes.pruning.importance import Importance, Scores, scores
from trimtab.compress.passes.pruning.removal import without
from trimtab.compress.passes.pruning.tracing import groups_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from trimtab.compress.passes.pruning.amounts import LayerAmounts

Structure = Literal["channel", "neuron", "head", "all"]
Amounts = Literal["uniform", "sensitivity", "profile"]
Ranking = Literal["layer", "global"]
_MOST_NAMED = 4


@dataclass(frozen=True)
class Wish:
    """As the settings of the pass, which see."""

    structure: Structure
    amount: float
    macs: float | None
    importance: Importance
    ranking: Ranking
    round_to: int
    keep: tuple[str, ...]
    amounts: Amounts
    device: str | None


def parts_of(
    model: nn.Module, structure: Structure, inputs: tuple[Tensor, ...]
) -> tuple[Coupling, ...]:
    """What the graph and the layers' types tell; not tried yet. Raises PassRejected."""
    heads = heads_of(model) if structure in ("head", "all") else ()
    if structure == "head":
        return heads
    channels = couplings_of(model, groups_of(model, inputs))
    if structure == "neuron":
        channels = tuple(each for each in channels if _is_linear(model, each))
    return heads + channels


def _is_linear(model: nn.Module, coupling: Coupling) -> bool:
    import torch

    modules = dict(model.named_modules())
    readers = {each.layer for unit in coupling.units for each in unit.inputs}
    convolution = torch.nn.modules.conv._ConvNd
    return not any(isinstance(modules.get(n), convolution) for n in {*coupling.layers, *readers})


def removable(model: nn.Module, wish: Wish, inputs: tuple[Tensor, ...]) -> list[Coupling]:
    """All of them, tried: those that must stay have no units and say why. Raises PassRejected."""
    parts = [_protected(each, wish.keep) for each in parts_of(model, wish.structure, inputs)]
    _refuse_unknown(model, wish.keep)
    found = checked(model, parts, inputs)
    if not any(each.units for each in found):
        raise PassRejected(_nothing(wish.structure, found))
    return found


def _protected(coupling: Coupling, keep: Sequence[str]) -> Coupling:
    if any(_matches(layer, keep) for layer in (coupling.name, *coupling.layers)):
        return replace(coupling, reason="named in keep")
    return coupling


def _matches(layer: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(layer, each) or fnmatchcase(layer, f"{each}.*") for each in patterns)


def _refuse_unknown(model: nn.Module, keep: Sequence[str]) -> None:
    layers = [name for name, _ in model.named_modules() if name]
    for pattern in keep:
        if not any(_matches(layer, (pattern,)) for layer in layers):
            named = ", ".join(layers[:_MOST_NAMED])
            raise PassRejected(f"keep: no layer is named {pattern}; the model has {named}, ...")


def _nothing(structure: Structure, found: Sequence[Coupling]) -> str:
    what = {"channel": "channels", "neuron": "neurons", "head": "attention heads", "all": "parts"}
    if not found:
        return f"the model has no layer with {what[structure]} that prune knows"
    reasons = "; ".join(f"{each.name}: {each.reason}" for each in found[:_MOST_NAMED])
    return f"no {what[structure]} can be removed from the model: {reasons}"


def plan(
    model: nn.Module, couplings: Sequence[Coupling], wish: Wish, context: ModelContext
) -> tuple[widths.Kept, str]:
    """How many units of each are left in the end, and how measured shares came about.

    Raises PassRejected.
    """
    inputs = context.task.example_inputs
    ranks = scores(model, couplings, wish.importance, context.task)
    shares = _Shares(model, couplings, wish, ranks, context)
    if wish.macs is None:
        return widths.kept_of(couplings, shares(wish.amount), wish.round_to), shares.summary
    before = _macs(model, inputs)

    def macs_of(kept: widths.Kept) -> float:
        return _macs(without(model, widths.least(couplings, ranks, kept)), inputs) / before

    kept = widths.kept_for_macs(couplings, shares, wish.round_to, macs_of, wish.macs)
    return kept, shares.summary


def _macs(model: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    facts = model_facts(model, inputs)
    if not facts.macs:
        reason = facts.unknown.get("macs", "the model has none")
        raise PassRejected(
            f"macs cannot be reached, as they cannot be counted: {reason}; set amount"
        )
    return facts.macs


class _Shares:
    """Of each coupling, what is to go for an amount of the whole."""

    def __init__(
        self,
        model: nn.Module,
        couplings: Sequence[Coupling],
        wish: Wish,
        ranks: Scores,
        context: ModelContext,
    ) -> None:
        self._couplings = couplings
        self._wish = wish
        self._ranks = ranks
        self._measured: Mapping[str, float] = {}
        self.summary = ""  # how measured shares came about
        if wish.amounts != "uniform":
            found = self._measure(model, wish.amounts, context)
            self._measured, self.summary = found, found.summary

    def __call__(self, amount: float) -> widths.Shares:
        if self._measured:
            return widths.scaled(self._measured, amount, self._wish.amount)
        if self._wish.ranking == "global":
            return widths.ranked_together(self._couplings, self._ranks, amount)
        return widths.uniform(self._couplings, amount)

    def _measure(
        self, model: nn.Module, how: Literal["sensitivity", "profile"], context: ModelContext
    ) -> LayerAmounts:
        from trimtab.compress.passes.pruning.amounts import AmountRequest, layer_amounts

        # What a layer bears is asked of the share itself, what it costs of the widths it will have.
        round_to = self._wish.round_to if how == "profile" else 1

        def prune(source: nn.Module, shares: Mapping[str, float]) -> nn.Module:
            kept = widths.kept_of(self._couplings, shares, round_to)
            return without(source, widths.least(self._couplings, self._ranks, kept))

        request = AmountRequest(
            model=model,
            amount=self._wish.amount,
            layers=tuple(each.name for each in self._couplings),
            how=how,
            context=context,
            prune=prune,
            device=self._wish.device,
        )
        return layer_amounts(request)
