"""A row's figures as a table, each beside what is demanded of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scipy import stats

from benchkit.compression.plans import FLOAT, TRAINED_ON, Bounds
from benchkit.compression.plans import Row as Plan
from benchkit.compression.scores import unpacked
from benchkit.paired_accuracy import Difference, difference
from benchkit.rows import Row

COLUMNS = (
    *("variant", "bytes", "of float", "zstd, of float", "MACs, of float", "zeros", "accuracy"),
    *("points lost [over seeds]", "[over images]", "times faster", "kept"),
)


@dataclass(frozen=True)
class Scored:
    """One variant over a row's seeds."""

    name: str
    rows: Sequence[Row]
    speed: Row | None

    @property
    def right(self) -> list[Any]:
        return [unpacked(each["right"], each["samples"]) for each in self.rows]

    @property
    def accuracy(self) -> float:
        return 100 * sum(float(each.mean()) for each in self.right) / len(self.rows)


def over_seeds(ours: Scored, theirs: Scored) -> Difference:
    """Theirs minus ours in points; Student's t over the seeds' differences, none of one seed."""
    lost = [100 * float(b.mean() - a.mean()) for a, b in zip(ours.right, theirs.right, strict=True)]
    mean = sum(lost) / len(lost)
    if len(lost) < 2:
        return Difference(mean, float("nan"), float("nan"))
    reach = float(stats.sem(lost) * stats.t.ppf(0.975, len(lost) - 1))
    return Difference(mean, mean - reach, mean + reach)


def table(plan: Plan, kept: Sequence[Row]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Cells, and what is not kept; variants without figures are left out."""
    found = _of_whole_seeds(
        scored(plan, name, kept) for name in (FLOAT, TRAINED_ON, *plan.ways, *plan.rivals)
    )
    base, reference = found.get(FLOAT), found.get(TRAINED_ON)
    for name, each in found.items():
        if each.rows and base is not None and reference is not None:
            bounds = plan.bounds.get(name, Bounds())
            yield _cells(each, base, reference, bounds)


def _of_whole_seeds(found: Iterable[Scored]) -> dict[str, Scored]:
    """Of variants that have figures, those of the seeds that all of them have."""
    measured = {each.name: each for each in found if each.rows}
    seeds = [{row["seed"] for row in each.rows} for each in measured.values()]
    whole = set.intersection(*seeds) if seeds else set()
    return {
        name: replace(each, rows=[row for row in each.rows if row["seed"] in whole])
        for name, each in measured.items()
    }


def scored(plan: Plan, name: str, kept: Sequence[Row]) -> Scored:
    """One variant of a row; without ``rows`` where it has no figures yet."""
    own = [each for each in kept if each.get("row") == plan.name]
    rows = [each for each in own if each.get("variant") == name]
    speed = next((each for each in own if each.get("speed") == name), None)
    return Scored(name, sorted(rows, key=lambda each: int(each["seed"])), speed)


def _cells(
    each: Scored, base: Scored, reference: Scored, bounds: Bounds
) -> tuple[tuple[str, ...], str]:
    shares = {name: _share(each, base, name) for name in ("bytes", "download_bytes", "macs")}
    lost = over_seeds(each, reference)
    images = difference(reference.right, each.right)
    broken = _broken(each, shares, lost.value, bounds)
    cells = (
        each.name,
        _text(each.rows[0]["bytes"], ","),
        *(_text(share, ".3f") for share in shares.values()),
        _text(each.rows[0]["sparsity"], ".2f"),
        f"{each.accuracy:.2f} %",
        "" if each.name == TRAINED_ON else _lost(lost),
        "" if each.name == TRAINED_ON else f"[{images.low:+.2f}, {images.high:+.2f}]",
        _speed(each.speed),
        ("NO" if broken else "yes") if bounds != Bounds() else "",
    )
    return cells, f"{each.name}: {', '.join(broken)}" if broken else ""


def _share(each: Scored, base: Scored, figure: str) -> float | None:
    """The largest over the seeds; None where a rival has no file, say."""
    ours, whole = [row[figure] for row in each.rows], base.rows[0][figure]
    return None if None in ours or not whole else max(ours) / whole


def _text(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _broken(
    each: Scored, shares: Mapping[str, float | None], lost: float, bounds: Bounds
) -> list[str]:
    faster = each.speed["ratio"] if each.speed else None
    return [
        *_above("points lost", lost, bounds.lost),
        *_above("of the MACs", shares["macs"], bounds.macs),
        *_above("of the size", shares["bytes"], bounds.size),
        *_below("times faster", faster, bounds.faster),
        *_below("% accuracy, so the row is void", each.accuracy, bounds.accuracy),
        *_below("points lost, so the row is void", lost, bounds.lost_at_least),
    ]


def _lost(lost: Difference) -> str:
    return f"{lost.value:+.2f}" if math.isnan(lost.low) else str(lost)


def _speed(speed: Row | None) -> str:
    if speed is None:
        return ""
    if speed["ratio"] is None:
        return str(speed["problem"])
    interval = f" [{speed['low']:.2f}, {speed['high']:.2f}]" if speed["low"] else ""
    return f"{speed['ratio']:.2f}{interval}{' (INVALID)' if speed['problem'] else ''}"


def _above(name: str, value: float | None, bound: float | None) -> tuple[str, ...]:
    if bound is None or (value is not None and value <= bound):
        return ()
    return (f"{_text(value, '.3g') or 'unknown'} {name}, at most {bound:g} demanded",)


def _below(name: str, value: float | None, bound: float | None) -> tuple[str, ...]:
    if bound is None or (value is not None and value >= bound):
        return ()
    return (f"{_text(value, '.3g') or 'unknown'} {name}, at least {bound:g} demanded",)
