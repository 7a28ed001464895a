"""An interval for a percentile of one process's dependent samples; pure, and always the same.

A moving-block bootstrap (Künsch 1989, "The jackknife and the bootstrap for general stationary
observations", Annals of Statistics 17): resamples are put together from blocks of consecutive
samples, so that they keep the dependence within a block. It speaks of this one process; what the
next one would differ by is not in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trimtab.measure.stats import Interval
from trimtab.records import Int64Array

RESAMPLES = 500
MOST_BLOCKS = 500
"""Of a resample: with more samples the blocks become longer, and the time stays what it was."""
_SEED = 20040101
_TAIL = 0.025
_Indices = npt.NDArray[np.int64]


def percentile_intervals(
    samples: Int64Array, quantiles: Sequence[float], block_length: int
) -> tuple[Interval, ...]:
    """The 95 % percentile intervals, in the samples' own unit; one for each of ``quantiles``.

    No resample is laid out: a resample's percentile is at most x where enough of its samples are,
    and those are counted block by block in cumulative counts.
    """
    begins, ends = _draw_blocks(len(samples), block_length)
    ordered = np.sort(samples)

    def share_at_most(value: np.int64, needed: int) -> float:
        """Of the resamples, those with at least ``needed`` samples up to ``value``."""
        counts = np.zeros(len(samples) + 1, dtype=np.int32)
        np.cumsum(samples <= value, out=counts[1:])
        return float(((counts[ends] - counts[begins]).sum(axis=1) >= needed).mean())

    def smallest(needed: int, share: float) -> float:
        low, high = 0, len(ordered) - 1
        while low < high:
            middle = (low + high) // 2
            if share_at_most(ordered[middle], needed) >= share:
                high = middle
            else:
                low = middle + 1
        return float(ordered[low])

    needed = [max(1, math.ceil(quantile * len(samples))) for quantile in quantiles]
    return tuple((smallest(each, _TAIL), smallest(each, 1 - _TAIL)) for each in needed)


def _draw_blocks(count: int, block_length: int) -> tuple[_Indices, _Indices]:
    """Where each resample's blocks begin and end; the last one is cut, for ``count`` in all."""
    length = min(count, max(block_length, math.ceil(count / MOST_BLOCKS)))
    blocks = math.ceil(count / length)
    draws = np.random.default_rng(_SEED).integers(0, count - length + 1, (RESAMPLES, blocks))
    lengths = np.full(blocks, length)
    lengths[-1] = count - (blocks - 1) * length
    return draws, draws + lengths
