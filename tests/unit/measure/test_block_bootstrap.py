"""The block bootstrap's intervals against what the percentile really varies by."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import lfilter
from trimtab.measure.block_bootstrap import MOST_BLOCKS, percentile_intervals
from trimtab.records import Int64Array

COUNT = 2000
SPREAD_NS = 20_000


def normals(runs: int, coefficient: float = 0.0, seed: int = 0) -> Int64Array:
    innovations = np.random.default_rng(seed).standard_normal((runs, COUNT))
    innovations[:, 1:] *= math.sqrt(1 - coefficient**2)
    values = lfilter([1.0], [1.0, -coefficient], innovations, axis=1)
    return np.asarray(np.rint(1e6 + SPREAD_NS * values), dtype=np.int64)


def mean_width(runs: Int64Array, quantile: float, block: int) -> float:
    intervals = [percentile_intervals(each, [quantile], block)[0] for each in runs]
    return float(np.mean([high - low for low, high in intervals]))


def test_of_independent_samples_the_median_varies_as_the_binomial_says() -> None:
    expected = 2 * 1.96 * math.sqrt(math.pi / 2 / COUNT) * SPREAD_NS
    assert mean_width(normals(20), 0.5, 1) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("quantile", [0.5, 0.9])
def test_of_dependent_samples_the_width_is_what_other_processes_of_the_kind_show(
    quantile: float,
) -> None:
    runs = normals(400, 0.9)
    really = 2 * 1.96 * float(np.quantile(runs, quantile, axis=1).std())
    assert mean_width(runs[:20], quantile, 65) == pytest.approx(really, rel=0.2)
    assert mean_width(runs[:20], quantile, 1) < really / 2


def test_the_interval_holds_the_sample_s_own_percentile_and_is_the_same_each_time() -> None:
    (samples,) = normals(1, 0.9)
    found = percentile_intervals(samples, [0.5, 0.9], 60)
    assert found == percentile_intervals(samples, [0.5, 0.9], 60)
    for (low, high), quantile in zip(found, (0.5, 0.9), strict=True):
        assert low < np.quantile(samples, quantile) < high


def test_a_resample_has_a_bounded_number_of_blocks() -> None:
    (samples,) = normals(1)
    shortest = COUNT // MOST_BLOCKS
    assert percentile_intervals(samples, [0.5], 1) == percentile_intervals(samples, [0.5], shortest)


def test_equal_samples_and_a_single_one_have_an_interval_without_width() -> None:
    assert percentile_intervals(np.full(20, 7, dtype=np.int64), [0.5], 1) == ((7.0, 7.0),)
    assert percentile_intervals(np.array([7], dtype=np.int64), [0.5, 0.9], 1) == ((7.0, 7.0),) * 2
