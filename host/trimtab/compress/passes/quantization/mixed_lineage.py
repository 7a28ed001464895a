"""What mixed precision chose: a sentence for the lineage, and each layer for the chart."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.compress.passes.quantization.layers import Fallback
from trimtab.compress.passes.quantization.mixed_search import Limit, Outcome
from trimtab.compress.passes.quantization.sensitivity import Fidelity, Sensitivity
from trimtab.records import LayerChoice

_MOST_NAMED = 8


@dataclass(frozen=True)
class DataUsed:
    """``source``: the task's function that both parts come from, one after the other."""

    source: str
    range_count: int
    judged_count: int

    def __str__(self) -> str:
        return (
            f"ranges from {self.range_count} samples of {self.source}, judged on the next "
            f"{self.judged_count} by the float file's own outputs (no labels, no eval_data)"
        )


def choices(outcome: Outcome, fallback: Fallback) -> tuple[LayerChoice, ...]:
    """In the file's order."""
    return tuple(_choice(each, outcome, fallback) for each in outcome.sensitivities)


def sentence(outcome: Outcome, fallback: Fallback, limit: Limit, data: DataUsed) -> str:
    total = len(outcome.sensitivities)
    kept = [each for each in outcome.sensitivities if each.layer.key in outcome.kept_layers]
    parts = [
        f"mixed precision: {total - len(kept)} of {total} layers int8 (static, per channel), "
        f"{_kept(kept, outcome, fallback)}",
        f"limit {limit}: {_told(outcome.final)}, with all layers int8 {_told(outcome.full)}",
        str(data),
        f"{outcome.evaluations} files tried",
    ]
    return "; ".join(parts)


def _choice(each: Sensitivity, outcome: Outcome, fallback: Fallback) -> LayerChoice:
    layer = each.layer
    time = outcome.times.get(layer.key)
    is_kept = layer.key in outcome.kept_layers
    return LayerChoice(
        name=layer.name,
        operator=layer.type,
        precision=fallback if is_kept else "int8",
        reason=_reason(each, outcome) if is_kept else "",
        weight_bytes=layer.weight_bytes,
        sqnr_db=round(each.fidelity.sqnr_db, 2),
        changed=each.fidelity.changed,
        saved_ms=None if time is None else time.saved_ms,
    )


def _kept(kept: list[Sensitivity], outcome: Outcome, fallback: Fallback) -> str:
    if not kept:
        return "none had to be kept out of it"
    worst = sorted(kept, key=lambda each: each.fidelity.sqnr_db)
    named = [f"{each.layer.name} ({_reason(each, outcome)})" for each in worst[:_MOST_NAMED]]
    rest = [f"{len(worst) - _MOST_NAMED} more"] if len(worst) > _MOST_NAMED else []
    what = "int16 activations in" if fallback == "int16" else "float:"
    return f"{what} {', '.join([*named, *rest])}"


def _reason(each: Sensitivity, outcome: Outcome) -> str:
    if each.layer.key in outcome.saves_nothing:
        time = outcome.times[each.layer.key]
        return f"int8 buys no time: {time.float_ms:.3g} -> {time.int8_ms:.3g} ms"
    return f"alone in int8: {_told(each.fidelity)}"


def _told(fidelity: Fidelity) -> str:
    changed = "" if fidelity.changed is None else f", {fidelity.changed:.1%} of answers changed"
    return f"{fidelity.sqnr_db:.1f} dB{changed}"
