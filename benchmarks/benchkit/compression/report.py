"""A row's figures as a table, each beside what is demanded of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scipy import stats

from benchkit.compression.plans import FLOAT, TRAINED_ON, Bounds
from benchkit.compression.plans import Row as Plan
from benchkit.compression.scores import unpacked
from benchkit.paired_accuracy import Difference, difference
from benchkit.rows import Row

COLUMNS = (
    *("variant", "bytes", "of float", "zstd, of float", "accuracy"),
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
    found = {name: _scored(plan, name, kept) for name in (FLOAT, TRAINED_ON, *plan.ways)}
    base, reference = found[FLOAT], found[TRAINED_ON]
    for name, each in found.items():
        if each.rows and base.rows and reference.rows:
            bounds = plan.bounds.get(name, Bounds())
            yield _cells(each, base, reference, bounds)


def _scored(plan: Plan, name: str, kept: Sequence[Row]) -> Scored:
    own = [each for each in kept if each.get("row") == plan.name]
    rows = [each for each in own if each.get("variant") == name]
    speed = next((each for each in own if each.get("speed") == name), None)
    return Scored(name, sorted(rows, key=lambda each: int(each["seed"])), speed)


def _cells(
    each: Scored, base: Scored, reference: Scored, bounds: Bounds
) -> tuple[tuple[str, ...], str]:
    size = each.rows[0]["bytes"] / base.rows[0]["bytes"]
    download = each.rows[0]["download_bytes"] / base.rows[0]["download_bytes"]
    lost = over_seeds(each, reference)
    images = difference(reference.right, each.right)
    ratio = each.speed["ratio"] if each.speed else None
    broken = [
        *_above("lost", lost.value, bounds.lost),
        *_above("size", size, bounds.size),
        *(_above("faster", -ratio, -bounds.faster) if ratio and bounds.faster else ()),
    ]
    is_bound = bounds != Bounds()
    cells = (
        each.name,
        f"{each.rows[0]['bytes']:,}",
        f"{size:.3f}",
        f"{download:.3f}",
        f"{each.accuracy:.2f} %",
        "" if each.name == TRAINED_ON else str(lost),
        "" if each.name == TRAINED_ON else f"[{images.low:+.2f}, {images.high:+.2f}]",
        _speed(each.speed),
        ("NO" if broken else "yes") if is_bound else "",
    )
    return cells, f"{each.name}: {', '.join(broken)}" if broken else ""


def _speed(speed: Row | None) -> str:
    if speed is None:
        return "not measured"
    if speed["ratio"] is None:
        return str(speed["problem"])
    interval = f" [{speed['low']:.2f}, {speed['high']:.2f}]" if speed["low"] else ""
    return f"{speed['ratio']:.2f}{interval}{' (INVALID)' if speed['problem'] else ''}"


def _above(name: str, value: float, bound: float | None) -> tuple[str, ...]:
    if bound is None or value <= bound:
        return ()
    return (f"{name} {abs(value):.2f}, demanded {abs(bound):g}",)
