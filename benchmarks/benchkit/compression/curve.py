"""Whether a pipeline's points dominate others: none of those is smaller without reading less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchkit.compression.plans import Row as Plan
from benchkit.compression.report import Scored, scored
from benchkit.rows import Row

COLUMNS = ("alone", "bytes", "accuracy", "dominated by", "its bytes", "its accuracy")
_NONE = ("NO", "", "")


def dominations(plan: Plan, kept: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """A line for each point of a single pass; its fourth cell is NO where nothing dominates it."""
    own = {each["variant"] for each in kept if each.get("row") == plan.name and "variant" in each}
    found = {name: scored(plan, name, kept) for name in sorted(own)}
    points = [each for name, each in found.items() if _is_of_pipeline(plan, name)]
    for name, rival in found.items():
        if name in plan.alone or _is_on_the_way(plan, name):
            over = [each for each in points if _dominates(each, rival)]
            best = max(over, key=lambda each: each.accuracy, default=None)
            yield (*_told(rival), *(_told(best) if best else _NONE))


def _is_of_pipeline(plan: Plan, name: str) -> bool:
    """The whole recipe, at the target or at a weaker setting."""
    way, _, point = name.partition(": ")
    if way not in plan.curve:
        return False
    last = plan.ways[way].passes[-1].use
    return not point or f"-{last}-" in point


def _is_on_the_way(plan: Plan, name: str) -> bool:
    """What the pipeline's first passes made: they alone, at its own settings."""
    way, _, point = name.partition(": ")
    return way in plan.curve and bool(point) and not _is_of_pipeline(plan, name)


def _dominates(point: Scored, rival: Scored) -> bool:
    return _bytes(point) <= _bytes(rival) and point.accuracy >= rival.accuracy


def _bytes(each: Scored) -> int:
    return max(int(row["bytes"]) for row in each.rows)


def _told(each: Scored) -> tuple[str, str, str]:
    return each.name, f"{_bytes(each):,}", f"{each.accuracy:.2f} %"
