"""Autocorrelation, effective size and block length, where theory says what they are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import spearmanr
from trimtab.measure.dependence import block_length, effective_size, rank_autocorrelation
from trimtab.records import Int64Array


def autoregressive(count: int, coefficient: float, seed: int = 0) -> Int64Array:
    """Around 1 ms, in nanoseconds, stationary from the first sample on."""
    innovations = np.random.default_rng(seed).standard_normal(count)
    innovations[1:] *= math.sqrt(1 - coefficient**2)
    values = lfilter([1.0], [1.0, -coefficient], innovations)
    return np.asarray(np.rint(1e6 + 2e4 * values), dtype=np.int64)


def of_ranks(coefficient: float, lag: int) -> float:
    """What Pearson's coefficient of normal variables is for their ranks."""
    return 6 / math.pi * math.asin(coefficient**lag / 2)


def known(samples: Int64Array) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    found = rank_autocorrelation(samples)
    assert found is not None
    return found


@pytest.mark.parametrize("lag", [1, 5, 20])
def test_the_autocorrelation_is_spearman_s_of_the_series_and_itself_later(lag: int) -> None:
    samples = autoregressive(20_000, 0.9)
    expected = spearmanr(samples[:-lag], samples[lag:]).statistic
    assert known(samples)[lag] == pytest.approx(expected, abs=0.01)
    assert known(samples)[lag] == pytest.approx(of_ranks(0.9, lag), abs=0.05)


def test_ties_share_their_rank() -> None:
    coarse = autoregressive(5000, 0.9) // 20_000
    expected = spearmanr(coarse[:-1], coarse[1:]).statistic
    assert known(coarse)[1] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("coefficient", [0.5, 0.9, 0.97])
def test_the_effective_size_is_what_the_autocorrelation_time_says(coefficient: float) -> None:
    time = 1 + 2 * sum(of_ranks(coefficient, lag) for lag in range(1, 1000))
    sizes = [effective_size(known(autoregressive(20_000, coefficient, seed))) for seed in range(9)]
    assert np.median(sizes) == pytest.approx(20_000 / time, rel=0.15)


def test_independent_samples_are_nearly_all_effective_and_alternating_ones_no_more_than_all() -> (
    None
):
    assert 850 < effective_size(known(autoregressive(1000, 0.0))) <= 1000
    assert effective_size(known(autoregressive(1000, -0.8))) == 1000


def test_neither_an_outlier_nor_a_skew_changes_the_effective_size() -> None:
    samples = autoregressive(2000, 0.9)
    was = effective_size(known(samples))
    disturbed = samples.copy()
    disturbed[samples.argmax()] = 10**9
    assert effective_size(known(disturbed)) == pytest.approx(was)
    assert effective_size(known(samples**2)) == pytest.approx(was)


def test_samples_that_only_drift_are_worth_little() -> None:
    assert effective_size(known(np.arange(1000, dtype=np.int64))) < 10


def test_equal_samples_have_no_autocorrelation() -> None:
    assert rank_autocorrelation(np.full(50, 7, dtype=np.int64)) is None
    assert rank_autocorrelation(np.array([7], dtype=np.int64)) is None


def test_the_block_length_is_what_theory_says_for_an_autoregression() -> None:
    """Politis and White's formula with the true spectrum: G = 2a/(1-a)^2, g = (1+a)/(1-a)."""
    ratio = (2 * 0.9 / 0.1**2) / (1.9 / 0.1)
    expected = (1.5 * ratio**2 * 5000) ** (1 / 3)
    found = [block_length(known(autoregressive(5000, 0.9, seed))) for seed in range(9)]
    assert np.median(found) == pytest.approx(expected, rel=0.3)


def test_independent_samples_need_short_blocks() -> None:
    assert np.median([block_length(known(autoregressive(1000, 0.0, s))) for s in range(9)]) <= 3


@pytest.mark.parametrize("count", [10, 11, 40])
def test_a_block_is_never_longer_than_a_third_of_the_samples(count: int) -> None:
    assert 1 <= block_length(known(np.arange(count, dtype=np.int64))) <= math.ceil(count / 3)
