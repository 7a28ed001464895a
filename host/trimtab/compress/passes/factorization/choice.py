"""Of which rank each layer becomes, and by which method; those that would save nothing stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.factorization.cp import Cp
from trimtab.compress.passes.factorization.decompositions import (
    Decomposition,
    EmbeddingSvd,
    MatrixSvd,
    Ranks,
    Site,
    SpatialSvd,
    Tucker2,
)
from trimtab.compress.passes.factorization.factored import is_convolution
from trimtab.compress.passes.factorization.settings import Method

_BISECTIONS = 30


@dataclass(frozen=True)
class Choice:
    by: Decomposition
    ranks: Ranks

    @property
    def macs_saved(self) -> int:
        return self.by.site.macs - self.by.macs(self.ranks)


Choices = Mapping[str, Choice]


def options(site: Site, method: Method, seed: int) -> list[Decomposition]:
    """More than one only for ``auto``."""
    layer = site.layer
    if isinstance(layer, nn.Embedding):
        return [EmbeddingSvd(site)]
    if not is_convolution(layer) or set(layer.kernel_size) == {1}:
        return [MatrixSvd(site)]
    if method == "cp":
        return [Cp(site, seed)]
    plane = isinstance(layer, nn.Conv2d)
    if method == "spatial-svd" and plane:
        return [SpatialSvd(site)]
    return [Tucker2(site), SpatialSvd(site)] if method == "auto" and plane else [Tucker2(site)]


def by_energy(sites: Mapping[str, Sequence[Decomposition]], energy: float, step: int) -> Choices:
    chosen: dict[str, Choice] = {}
    for name, ways in sites.items():
        tried = [Choice(way, way.ranks(energy, step)) for way in ways]
        best = min(tried, key=lambda each: each.by.work(each.ranks))
        if best.by.saves(best.ranks):
            chosen[name] = best
    return chosen


def by_ratio(sites: Mapping[str, Sequence[Decomposition]], ratio: float, step: int) -> Choices:
    chosen: dict[str, Choice] = {}
    for name, ways in sites.items():
        budgets = [(way, way.ranks_within(ratio * way.original_work, step)) for way in ways]
        tried = [Choice(way, ranks) for way, ranks in budgets if ranks and way.saves(ranks)]
        if len(tried) > 1:
            tried.sort(key=lambda each: each.by.squared_error(each.by.build(each.ranks)))
        if tried:
            chosen[name] = tried[0]
    return chosen


def by_macs(
    sites: Mapping[str, Sequence[Decomposition]], share: float, total: int, step: int
) -> Choices:
    """All layers keep the same share of energy: those that lose less are cut more."""

    def left(choices: Choices) -> float:
        return 1 - sum(each.macs_saved for each in choices.values()) / total

    low, high = 0.0, 1.0
    strongest = by_energy(sites, low, step)
    if left(strongest) > share:
        raise PassRejected(
            f"macs = {share:g} is out of reach: factorization leaves {left(strongest):.3f} of the "
            "MACs at least; ask for more, lower round_to, or skip fewer layers"
        )
    chosen = strongest
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        tried = by_energy(sites, middle, step)
        if left(tried) <= share:
            low, chosen = middle, tried
        else:
            high = middle
    return chosen
