"""From what each layer costs to the set of layers that stays out of int8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trimtab.compress.passes.base import PassRejected
from trimtab.compress.passes.quantization.layer_latency import LayerTime
from trimtab.compress.passes.quantization.layer_selection import (
    Candidate,
    Keys,
    NothingKeeps,
    select,
)
from trimtab.compress.passes.quantization.layers import (
    Fallback,
    LayeredFile,
    Operator,
    followers,
)
from trimtab.compress.passes.quantization.sensitivity import (
    Fidelity,
    Judge,
    Progress,
    Sensitivity,
    sensitivities,
)

_NONE: Keys = frozenset()


@dataclass(frozen=True)
class Limit:
    """``min_sqnr_db`` None: the share of changed answers counts."""

    max_drop: float
    min_sqnr_db: float | None

    def holds(self, fidelity: Fidelity) -> bool:
        if self.min_sqnr_db is not None:
            return fidelity.sqnr_db >= self.min_sqnr_db
        return fidelity.changed is not None and fidelity.changed <= self.max_drop

    def __str__(self) -> str:
        if self.min_sqnr_db is not None:
            return f"an SQNR of at least {self.min_sqnr_db:g} dB"
        return f"at most {self.max_drop:.3g} of the answers changed"


@dataclass(frozen=True)
class Outcome:
    """``kept`` has the operators without weights that follow the kept layers, too.

    ``full``: with every layer in int8. ``saves_nothing``: keys of layers kept for that.
    """

    sensitivities: tuple[Sensitivity, ...]
    times: Mapping[str, LayerTime]
    saves_nothing: Keys
    kept_layers: Keys
    kept: tuple[Operator, ...]
    full: Fidelity
    final: Fidelity
    evaluations: int


@dataclass
class MixedSearch:
    """``times``: what the layers took in both precisions, to weigh them by; else by bytes."""

    file: LayeredFile
    judge: Judge
    limit: Limit
    fallback: Fallback
    times: Mapping[str, LayerTime] | None
    progress: Progress
    _known: dict[Keys, Fidelity] = field(default_factory=dict)

    def run(self) -> Outcome:
        """Raises PassRejected where the limit leaves no layer in int8."""
        found = sensitivities(self.file, self.judge, self.progress)
        times = self.times or {}
        never = frozenset(key for key, time in times.items() if time.saved_ms <= 0)
        try:
            layers = select(
                [self._candidate(each) for each in found],
                lambda keys: self.limit.holds(self._fidelity(keys)),
                never,
            )
        except NothingKeeps as error:
            raise PassRejected(_nothing(self.limit, found, never)) from error
        return Outcome(
            sensitivities=found,
            times=times,
            saves_nothing=never,
            kept_layers=layers,
            kept=self._with_followers(layers),
            full=self._fidelity(_NONE),
            final=self._fidelity(layers),
            evaluations=len(found) + len(self._known),
        )

    def _candidate(self, sensitivity: Sensitivity) -> Candidate:
        layer = sensitivity.layer
        if self.times is None:
            return Candidate(layer.key, sensitivity.noise, float(layer.weight_bytes))
        time = self.times.get(layer.key)
        return Candidate(layer.key, sensitivity.noise, time.saved_ms if time else 0.0)

    def _fidelity(self, layers: Keys) -> Fidelity:
        if layers not in self._known:
            total = len(self.file.layers)
            self._known[layers] = found = self.judge.kept(
                self._with_followers(layers), self.fallback
            )
            told = "" if found.changed is None else f", {found.changed:.2%} of answers changed"
            self.progress(
                f"{total - len(layers)} of {total} layers in int8: {found.sqnr_db:.1f} dB{told}"
            )
        return self._known[layers]

    def _with_followers(self, layers: Keys) -> tuple[Operator, ...]:
        own = tuple(each for each in self.file.layers if each.key in layers)
        return (*own, *followers(self.file.operators, layers))


def _nothing(limit: Limit, found: Sequence[Sensitivity], never: Keys) -> str:
    if never.issuperset(each.layer.key for each in found):
        return "no layer is faster in int8 in the profile: nothing to quantize"
    worst = min(found, key=lambda each: each.fidelity.sqnr_db)
    return (
        f"no layer can be int8 within the limit ({limit}); the worst alone is "
        f"{worst.layer.name} at {worst.fidelity.sqnr_db:.1f} dB: raise the limit"
    )
