"""A run's variants and results as cells of a table: what works, and the reason of what does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
_LONGEST = 180


@dataclass(frozen=True)
class Cell:
    """``outcome``: works, the reference, or the reason. Figures are empty where there are none."""

    scheme: str
    format: str
    runtime: str
    outcome: str
    figures: tuple[str, ...] = ("", "", "", "", "")

    @property
    def works(self) -> bool:
        return self.outcome.startswith("works")

    @property
    def row(self) -> tuple[str, ...]:
        return (self.scheme, self.format, self.runtime, self.outcome, *self.figures)

    @property
    def why_not(self) -> tuple[str, ...]:
        return (self.scheme, self.format, self.outcome)


def cells_of(run: Json) -> list[Cell]:
    """One a result, and one for each variant of which there was nothing to measure."""
    cells = [_unmade(variant) for variant in run["variants"] if variant["error"] is not None]
    return sorted([*map(_measured, run["results"]), *cells], key=lambda cell: cell.row[:3])


def summary(cells: Sequence[Cell]) -> str:
    working = sum(cell.works for cell in cells)
    return (
        f"{working} of {len(cells)} cells work: their outputs were compared with the float "
        "model's on the whole evaluation set.\n"
    )


def _unmade(variant: Json) -> Cell:
    return Cell(variant["name"], variant["format"], "", _plain(variant["error"]))


def _measured(result: Json) -> Cell:
    metrics = result["metrics"]
    size = f"{result['artifact']['size_bytes'] / 1e3:.0f} kB"
    figures = (
        size,
        _number(metrics.get("sqnr_db"), "{:.1f} dB"),
        _number(metrics.get("agreement"), "{:.2%}"),
        _number(metrics.get("accuracy"), "{:.2%}"),
        _number(metrics.get("latency_p50_ms"), "{:.3f} ms"),
    )
    return Cell(
        result["variant"],
        result["artifact"]["format"],
        result["runtime"]["name"],
        _outcome(result),
        figures,
    )


def _outcome(result: Json) -> str:
    """The first float model is what all the others are compared with."""
    if result["error"] is not None:
        return f"fails: {_plain(result['error'])}"
    agreement = next(
        (check for check in result["verdict"]["checks"] if check["name"] == "OUTPUTS_AGREE"), None
    )
    if agreement is not None and agreement["outcome"] == "not_applicable":
        return "the reference"
    if agreement is None or agreement["outcome"] == "unknown":
        seen = agreement["seen"] if agreement else "no check"
        return f"not compared: {seen}"
    if agreement["outcome"] == "failed":
        return f"INVALID: {agreement['advice'].partition(':')[0]}"
    return "works"


def _plain(error: Json) -> str:
    text = " ".join(str(error["message"]).split()).replace("|", "/")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _number(metric: Json | None, form: str) -> str:
    if not metric or metric["value"] is None:
        return ""
    text = form.format(metric["value"])
    return text if metric["valid"] else f"{text} (INVALID)"
