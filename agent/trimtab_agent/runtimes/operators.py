"""What a runtime tells of the operators it runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Places = Mapping[str, Mapping[str, int]]
"""Where (an accelerator, perhaps with a detail in brackets) -> operator type -> how many."""


@dataclass(frozen=True)
class Operator:
    """One operator of the graph as it really runs (fused, reordered), per inference.

    ``ran_on``: the accelerator, and in brackets what of it ("cpu (XNNPACK)"). ``duration_ns`` is
    the operator's own time without its subgraphs'; None where the runtime does not tell.
    """

    type: str
    name: str
    ran_on: str
    count: float
    duration_ns: float | None


@dataclass(frozen=True)
class OperatorProfile:
    """``times_unavailable``: why there are no times; empty where there are.

    ``source``, ``p50_ns`` and ``measured`` are set where the times are not those of the session's
    own runs: what ran instead, its median, and the operators that the session itself has.
    ``arena_bytes``: the most that the runtime's own arena held; None: it does not tell.
    """

    operators: tuple[Operator, ...]
    times_unavailable: str = ""
    source: str = ""
    p50_ns: float | None = None
    measured: tuple[Operator, ...] = ()
    arena_bytes: int | None = None


def places_of(operators: Sequence[Operator]) -> Places:
    places: dict[str, Counter[str]] = defaultdict(Counter)
    for operator in operators:
        places[operator.ran_on][operator.type] += 1
    return {place: dict(types) for place, types in places.items()}


def left_out(accelerator: str, places: Places) -> tuple[int, int, Mapping[str, int]]:
    """How many operators there are, how many run elsewhere than asked, and those by type."""
    elsewhere: Counter[str] = Counter()
    for place, types in places.items():
        if place.partition(" ")[0] != accelerator:
            elsewhere.update(types)
    total = sum(sum(types.values()) for types in places.values())
    return total, sum(elsewhere.values()), dict(elsewhere.most_common())


def fallback_warning(accelerator: str, places: Places) -> tuple[str, ...]:
    """One line where operators run elsewhere than asked; none where all run there."""
    total, count, types = left_out(accelerator, places)
    if not count:
        return ()
    named = ", ".join(f"{number} {name}" for name, number in types.items())
    return (f"{count} of {total} operators run elsewhere than on {accelerator}: {named}",)


def middle_half(latencies: Sequence[int]) -> frozenset[int]:
    """Positions without those of the fastest and of the slowest quarter.

    Operators' times are means over these inferences. Means add up, as medians would not; without
    both ends they stay near the median inference.
    """
    quarter = len(latencies) // 4
    ranked = sorted(range(len(latencies)), key=latencies.__getitem__)
    return frozenset(ranked[quarter : len(ranked) - quarter])
