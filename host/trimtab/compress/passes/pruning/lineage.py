"""What pruning says of itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.compress.retraining import Retrained
from trimtab.records import ModelFacts

if TYPE_CHECKING:
    from torch import nn

    from trimtab.compress.passes.pruning.prune import PruneConfig

Widths = Mapping[str, tuple[int, int]]
_STRUCTURES = {
    "channel": "channels",
    "neuron": "neurons",
    "head": "attention heads",
    "all": "channels and attention heads",
}
_MOST_NAMED = 3


@dataclass(frozen=True)
class Facts:
    """``whole``: names and reasons of what could not be removed. ``trained``: after each step.

    ``shares``: how measured shares came about.
    """

    before: ModelFacts
    after: ModelFacts
    changed: Widths
    whole: tuple[tuple[str, str], ...]
    trained: tuple[Retrained, ...]
    shares: str = ""


def changed_widths(before: nn.Module, after: nn.Module) -> Widths:
    """Output channels of the layers that lost some, and heads of attention layers."""
    old, new = _widths(before), _widths(after)
    return {name: (old[name], new[name]) for name in old if old[name] != new[name]}


def _widths(model: nn.Module) -> dict[str, int]:
    import torch

    found = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            found[name] = module.out_features
        elif isinstance(module, torch.nn.modules.conv._ConvNd):
            found[name] = module.out_channels
    return found


def sentence(config: PruneConfig, facts: Facts) -> str:
    parts = [f"{_asked(config)}: {_counts(facts)}; {_layers(facts.changed)}"]
    if facts.shares:
        parts.append(facts.shares)
    if facts.whole:
        parts.append(f"left whole: {_whole(facts.whole)}")
    parts.append(_training(config, facts.trained))
    return "; ".join(parts)


def _asked(config: PruneConfig) -> str:
    if config.macs is not None:
        asked = f"{_STRUCTURES[config.structure]} removed until {config.macs:.3g} of the MACs stay"
    else:
        asked = f"{config.amount:.0%} of the {_STRUCTURES[config.structure]} removed"
    chosen = {
        "uniform": "all layers ranked together" if config.ranking == "global" else "in each layer",
        "sensitivity": "shares by what each layer loses",
        "profile": "shares by what each layer costs on the device",
    }[config.amounts]
    rounded = "" if config.round_to == 1 else f", multiples of {config.round_to} kept"
    steps = "at once" if config.steps == 1 else f"in {config.steps} steps"
    return f"{asked} by {config.importance}, {chosen}{rounded}, {steps}"


def _counts(facts: Facts) -> str:
    before, after = facts.before, facts.after
    parameters = f"parameters {before.parameters} -> {after.parameters}"
    if not before.macs or after.macs is None:
        return f"{parameters}, MACs not known ({before.unknown.get('macs', 'there are none')})"
    return (
        f"{parameters}, MACs {before.macs / 1e6:.3g} M -> {after.macs / 1e6:.3g} M "
        f"({after.macs / before.macs:.2f} of them)"
    )


def _layers(changed: Widths) -> str:
    by_change: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    for name, change in changed.items():
        by_change[change].append(name)
    told = (f"{old} -> {new} in {_named(names)}" for (old, new), names in by_change.items())
    return f"outputs {', '.join(told)}"


def _whole(layers: Sequence[tuple[str, str]]) -> str:
    by_reason: defaultdict[str, list[str]] = defaultdict(list)
    for name, reason in layers:
        by_reason[reason].append(name)
    return ", ".join(f"{_named(names)} ({reason})" for reason, names in by_reason.items())


def _named(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMED
    named = ", ".join(names[:_MOST_NAMED])
    return f"{named} and {rest} more" if rest > 0 else named


def _training(config: PruneConfig, trained: Sequence[Retrained]) -> str:
    if not trained:
        return "not trained afterwards"
    between = trained[:-1] if config.epochs else trained
    parts = []
    if between:
        parts.append(f"{sum(each.trained.epochs for each in between)} epochs between the steps")
    if config.epochs:
        parts.append(str(trained[-1]))
    return f"trained on {' and '.join(parts)}, {config.teaching}"
