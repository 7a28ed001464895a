"""What a runtime tells of the operators it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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


def middle_half(latencies: Sequence[int]) -> frozenset[int]:
    """Positions without those of the fastest and of the slowest quarter.

    Operators' times are means over these inferences. Means add up, as medians would not; without
    both ends they stay near the median inference.
    """
    quarter = len(latencies) // 4
    ranked = sorted(range(len(latencies)), key=latencies.__getitem__)
    return frozenset(ranked[quarter : len(ranked) - quarter])
