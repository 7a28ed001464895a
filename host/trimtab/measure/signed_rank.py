"""Where the centre of a few values lies, by Wilcoxon's signed ranks; pure.

Estimate and interval invert the signed-rank test (Hodges and Lehmann 1963; Hollander, Wolfe and
Chicken, Nonparametric Statistical Methods, 3.2 and 3.3): they need no more of the values than that
they lie symmetrically about their centre, and one far away moves neither much.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

FEWEST = 6
"""Fewer have no interval at 95 %: the widest of five values misses the centre 1 time in 16."""

_MISSES = 0.05


def centre(values: Sequence[float]) -> float:
    """The median of the averages of all pairs, each value with itself among them."""
    return float(np.median(_pair_averages(values)))


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Holds the centre at least 95 % of the time; None for fewer than FEWEST values.

    Of six values it reaches from the lowest to the highest: it misses 1 time in 32.
    """
    if len(values) < FEWEST:
        return None
    averages = np.sort(_pair_averages(values))
    cut = _cut(len(values))
    return float(averages[cut]), float(averages[-1 - cut])


def _pair_averages(values: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    array = np.asarray(values, dtype=np.float64)
    first, second = np.triu_indices(len(array))
    return np.asarray((array[first] + array[second]) / 2)


@lru_cache
def _cut(count: int) -> int:
    """How many pair averages lie outside on each side: the most that 95 % allow."""
    ways = _ways(count)
    total, below, cut = 2**count, 0, 0
    while 2 * (below + ways[cut]) <= _MISSES * total:
        below += ways[cut]
        cut += 1
    return cut - 1


def _ways(count: int) -> list[int]:
    """How many sets of the ranks 1 to ``count`` add up to 0, 1, 2, ..."""
    ways = [1] + [0] * (count * (count + 1) // 2)
    for rank in range(1, count + 1):
        for total in range(len(ways) - 1, rank - 1, -1):
            ways[total] += ways[total - rank]
    return ways
