"""Energy in detail: what its figures cover, rail by rail, and what only is an estimate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.measure.energy import NoEnergy, measured_energy, rails
from trimtab.measure.wording import decimals
from trimtab.records import Result

_COLUMNS = ("sensor", "covers", "counts as", "mean W", "idle W", "mJ an inference")
_ROLES = {
    "total": "the whole device",
    "addend": "added up",
    "part": "a part, not added",
    "other": "not the device",
    None: "not known",
}
_MISSING = "–"


@dataclass(frozen=True)
class EnergyTable:
    """``rows``: a candidate and one sensor's cells. ``notes``: what failed, and why."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...]


def energy_table(results: Sequence[Result], labels: Sequence[str]) -> EnergyTable:
    """Without a row where no sensor was read."""
    rows, notes = [], []
    for label, result in zip(labels, results, strict=True):
        for each in rails(result.raw) if result.raw is not None and result.error is None else ():
            figures = (each.power_w, each.idle_w, each.energy_mj)
            texts = (each.name, each.scope, _ROLES[each.role], *map(_cell, figures))
            rows.append((label, texts))
            if each.unavailable_reason:
                notes.append(f"{label}, {each.name}: {each.unavailable_reason}")
    return EnergyTable(_COLUMNS, tuple(rows), tuple(dict.fromkeys(notes)))


def energy_notes(results: Sequence[Result]) -> list[str]:
    """What an energy covers, once for each; and by which model it was estimated."""
    measured = [result for result in results if _is(result, "measured")]
    covered = dict.fromkeys(_scope(result) for result in measured)
    notes = [f"energy and power cover {scope}" for scope in covered if scope]
    models = dict.fromkeys(
        result.power.model
        for result in results
        if _is(result, "estimated") and result.power.model is not None
    )
    return notes + [
        f"~ energy and power are estimated, not measured: by the power model given for the device, "
        f"{model.idle_w:g} W idle and {model.busy_core_w:g} W for each busy core"
        for model in models
        if model is not None
    ]


def _is(result: Result, provenance: str) -> bool:
    energy = result.metrics.get("energy_mj")
    return energy is not None and energy.provenance == provenance


def _scope(result: Result) -> str:
    try:
        return measured_energy(result.raw).scope if result.raw is not None else ""
    except NoEnergy:
        return ""


def _cell(value: float | None) -> str:
    return _MISSING if value is None else f"{value:.{decimals(value, 'W')}f}"
