"""Ranges of activations from the values that were seen, the same for every format.

Percentile cuts both tails alike. Entropy is the threshold on the magnitude at which the histogram
and its quantized form diverge least (Migacz, 8-bit inference with TensorRT, 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from trimtab.task import NamedArrays

Method = Literal["minmax", "entropy", "percentile"]
Range = tuple[float, float]
Ranges = dict[str, Range]
# A run of the float model: all its tensors by name.
RunAll = Callable[[NamedArrays], Mapping[str, npt.NDArray[Any]]]

DEFAULT_PERCENTILE = 99.999
# An attention mask adds the lowest number there is; 8 bits over such a range keep nothing else.
LARGEST_QUANTIZABLE = 1e6
_BINS = 2048
_ENTROPY_STRIDE = 8


@dataclass(frozen=True)
class RangeRule:
    """``percentile``: of the values that stay inside, in percent; for that method alone."""

    method: Method = "minmax"
    percentile: float = DEFAULT_PERCENTILE


@dataclass
class _Seen:
    """``magnitudes`` leave exact zeros out: every scale has a zero."""

    low: float = np.inf
    high: float = -np.inf
    values: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS, np.int64))
    magnitudes: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS, np.int64))

    @property
    def span(self) -> Range:
        return self.low, self.high


def observed_ranges(run_all: RunAll, feeds: Iterable[NamedArrays], rule: RangeRule) -> Ranges:
    """Of every float tensor; all values are seen twice where a histogram is needed."""
    samples = list(feeds)
    seen: dict[str, _Seen] = {}
    for name, values in _float_tensors(run_all, samples):
        each = seen.setdefault(name, _Seen())
        each.low = min(each.low, float(values.min()))
        each.high = max(each.high, float(values.max()))
    if rule.method != "minmax":
        _fill_histograms(seen, _float_tensors(run_all, samples))
    return {name: _range_of(each, rule) for name, each in seen.items()}


def unquantizable(ranges: Ranges) -> frozenset[str]:
    """Tensors whose values no eight bits can hold: masks, infinities."""
    return frozenset(
        name
        for name, (low, high) in ranges.items()
        if not max(abs(low), abs(high)) <= LARGEST_QUANTIZABLE
    )


def _float_tensors(
    run_all: RunAll, samples: Iterable[NamedArrays]
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    for sample in samples:
        for name, values in run_all(sample).items():
            if np.issubdtype(values.dtype, np.floating) and values.size:
                yield name, values


def _fill_histograms(
    seen: Mapping[str, _Seen], tensors: Iterable[tuple[str, npt.NDArray[Any]]]
) -> None:
    for name, values in tensors:
        each = seen[name]
        if not np.isfinite(each.span).all() or each.low == each.high:
            continue
        each.values += np.histogram(values, _BINS, each.span)[0]
        sizes = np.abs(values[values != 0])
        each.magnitudes += np.histogram(sizes, _BINS, (0, max(abs(each.low), abs(each.high))))[0]


def _range_of(seen: _Seen, rule: RangeRule) -> Range:
    if rule.method == "minmax" or not seen.values.any():
        return seen.span
    if rule.method == "percentile":
        return _percentile_range(seen, rule.percentile)
    threshold = _entropy_threshold(seen)
    return max(seen.low, -threshold), min(seen.high, threshold)


def _percentile_range(seen: _Seen, percentile: float) -> Range:
    tail = (1 - percentile / 100) / 2
    shares = np.concatenate([[0.0], np.cumsum(seen.values) / seen.values.sum()])
    edges = np.linspace(seen.low, seen.high, _BINS + 1)
    # Bins without a value would make the shares repeat, and the lookup ambiguous.
    rising = np.concatenate([[True], np.diff(shares) > 0])
    first = max(int(np.argmax(shares > 0)) - 1, 0)
    edges[0], shares, edges = edges[first], shares[rising], edges[rising]
    low, high = np.interp([tail, 1 - tail], shares, edges)
    return float(low), float(high)


def _entropy_threshold(seen: _Seen) -> float:
    """Signed values have half of the 256 steps on either side of zero."""
    levels = 256 if seen.low >= 0 else 128
    counts = seen.magnitudes.astype(np.float64)
    largest = max(abs(seen.low), abs(seen.high))
    ends = range(levels, _BINS + 1, _ENTROPY_STRIDE)
    best = min(ends, key=lambda end: _divergence(counts, end, levels))
    return largest * best / _BINS


def _divergence(counts: npt.NDArray[np.float64], end: int, levels: int) -> float:
    """Kullback-Leibler's, of the clipped histogram from its form in ``levels`` steps."""
    inside = counts[:end]
    clipped = inside.copy()
    clipped[-1] += counts[end:].sum()
    starts = np.arange(levels) * end // levels
    widths = np.diff(np.append(starts, end))
    filled = np.maximum(np.add.reduceat((inside > 0).astype(np.float64), starts), 1)
    means = np.add.reduceat(inside, starts) / filled
    quantized = np.where(inside > 0, np.repeat(means, widths), 0)
    if not clipped.any() or not quantized.any():
        return np.inf
    here = clipped > 0
    expected = clipped[here] / clipped.sum()
    actual = np.maximum(quantized[here] / quantized.sum(), 1e-9)
    return float((expected * np.log(expected / actual)).sum())
