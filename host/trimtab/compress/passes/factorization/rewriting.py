"""A model's layers replaced by products, and what that did in one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from trimtab.compress.passes.base import ModelContext, PassRejected
from trimtab.compress.passes.factorization.choice import (
    Choice,
    Choices,
    by_energy,
    by_macs,
    by_ratio,
    options,
)
from trimtab.compress.passes.factorization.decompositions import Site
from trimtab.compress.passes.factorization.factored import Factored
from trimtab.compress.passes.factorization.observation import observe, total_macs
from trimtab.compress.passes.factorization.replacing import replace_all
from trimtab.compress.passes.factorization.sites import find_sites, some
from trimtab.compress.passes.factorization.weighting import weighted
from trimtab.compress.passes.quantization.calibration import calibration_data

if TYPE_CHECKING:
    from trimtab.compress.passes.factorization.factorize import FactorizeConfig


@dataclass(frozen=True)
class Size:
    parameters: int
    macs: int


def rewritten(model: nn.Module, config: FactorizeConfig, context: ModelContext) -> str:
    """Changes ``model``. Raises PassRejected where no layer can be replaced."""
    inputs = context.task.example_inputs
    seen = observe(model, inputs)
    before = _size(model, total_macs(seen))
    sites, left = find_sites(model, seen, config.skip, config.embeddings)
    if config.data_aware:
        data = calibration_data(context.task, config.calibration_samples, "task")
        sites = weighted(sites, model, tuple(data.samples.values()))
    chosen = _chosen(sites, config, before.macs, context)
    left |= {each.name: "it would save nothing" for each in sites if each.name not in chosen}
    if not chosen:
        raise PassRejected(f"factorize saves work in no layer: {_reasons(left) or 'it has none'}")
    made = {name: each.by.build(each.ranks) for name, each in chosen.items()}
    replace_all(model, made, inputs)
    after = _size(model, total_macs(observe(model, inputs)))
    return "; ".join(_told(chosen, made, left, (before, after), config))


def _chosen(
    sites: Sequence[Site], config: FactorizeConfig, macs: int, context: ModelContext
) -> Choices:
    context.progress(f"factorize: ranks of {len(sites)} layers")
    ways = {each.name: options(each, config.method, context.task.seed) for each in sites}
    if config.macs is not None:
        return by_macs(ways, config.macs, macs, config.round_to)
    if config.energy is not None:
        return by_energy(ways, config.energy, config.round_to)
    if config.ratio is None:
        raise ValueError("one of ratio, energy and macs is always set")
    return by_ratio(ways, config.ratio, config.round_to)


def _size(model: nn.Module, macs: int) -> Size:
    return Size(sum(each.numel() for each in model.parameters()), macs)


def _told(
    chosen: Choices,
    made: Mapping[str, Factored],
    left: Mapping[str, str],
    sizes: tuple[Size, Size],
    config: FactorizeConfig,
) -> list[str]:
    before, after = sizes
    methods = Counter(each.by.method for each in chosen.values())
    ranks = [rank for each in chosen.values() for rank in each.ranks]
    told = [
        f"factorized {len(chosen)} of {len(chosen) + len(left)} layers by {_amount(config)} "
        f"({', '.join(f'{count} by {method}' for method, count in sorted(methods.items()))}; "
        f"ranks {min(ranks)} to {max(ranks)})",
        f"parameters {before.parameters:,} -> {after.parameters:,}, MACs {before.macs:,} -> "
        f"{after.macs:,} of linear layers and convolutions",
        _errors(chosen, made, config),
    ]
    return [*told, f"left as they are: {_reasons(left)}"] if left else told


def _amount(config: FactorizeConfig) -> str:
    name = next(name for name in ("ratio", "energy", "macs") if getattr(config, name) is not None)
    return f"{name} {getattr(config, name):g}"


def _errors(chosen: Choices, made: Mapping[str, Factored], config: FactorizeConfig) -> str:
    squares = {name: _squares(each, made[name]) for name, each in chosen.items()}
    shares = {name: (lost / whole) ** 0.5 for name, (lost, whole) in squares.items()}
    lost, whole = (sum(column) for column in zip(*squares.values(), strict=True))
    worst = max(shares, key=lambda name: shares[name])
    of = "of outputs on calibration data" if config.data_aware else "of weights"
    return (
        f"relative error {of} (Frobenius) {(lost / whole) ** 0.5:.3f} over all, "
        f"{min(shares.values()):.3f} to {shares[worst]:.3f} a layer (most: {worst})"
    )


def _squares(choice: Choice, made: Factored) -> tuple[float, float]:
    whole = float(choice.by.site.weight.square().sum())
    return choice.by.squared_error(made), whole or 1.0


def _reasons(left: Mapping[str, str]) -> str:
    by_reason: dict[str, list[str]] = {}
    for name, reason in left.items():
        by_reason.setdefault(reason, []).append(name)
    return "; ".join(f"{some(names)} ({reason})" for reason, names in by_reason.items())
