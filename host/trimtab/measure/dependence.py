"""How much the samples of one process depend on each other; pure.

All of it is over the samples' ranks (ties share theirs): one slow inference out of thousands says
nothing of dependence, and percentiles do not change under a monotone transformation either.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from trimtab.records import Int64Array

FloatArray = npt.NDArray[np.float64]
_FEWEST_INSIGNIFICANT_LAGS = 5
_SIGNIFICANT = 2.0  # in standard errors, times sqrt(log10 n): Politis and White's c


def rank_autocorrelation(samples: Int64Array) -> FloatArray | None:
    """Of every lag from 0 on, the autocovariances divided by n. None: all samples are equal."""
    ranks = _ranks(samples)
    deviations = ranks - ranks.mean()
    if not deviations.any():
        return None
    padded = 1 << (2 * len(samples) - 1).bit_length()  # no lag wraps around
    spectrum = np.fft.rfft(deviations, padded)
    covariance = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, padded)[: len(samples)]
    found: FloatArray = covariance / covariance[0]
    return found


def effective_size(autocorrelation: FloatArray) -> float:
    """Of how many independent samples the mean rank would vary as much; from 1 to their number.

    The autocorrelations are summed as Geyer (1992, "Practical Markov chain Monte Carlo",
    Statistical Science 7) does: in pairs, up to the first that is not positive, none larger than
    the one before (initial monotone sequence).
    """
    count = len(autocorrelation)
    even = count // 2 * 2
    pairs = autocorrelation[0:even:2] + autocorrelation[1:even:2]
    beyond = np.flatnonzero(pairs <= 0)
    positive = pairs[: beyond[0]] if len(beyond) else pairs
    time = 2.0 * float(np.minimum.accumulate(positive).sum()) - 1.0
    return min(float(count), max(1.0, count / max(time, 1.0)))


def block_length(autocorrelation: FloatArray) -> int:
    """The length of a block bootstrap's blocks, from 1 to a third of the samples.

    Politis and White (2004, "Automatic block-length selection for the dependent bootstrap",
    Econometric Reviews 23) for blocks of fixed length, corrected by Patton, Politis and White
    (2009, Econometric Reviews 28).
    """
    count = len(autocorrelation)
    bandwidth = _bandwidth(autocorrelation)
    if bandwidth == 0:
        return 1
    lags = np.arange(1, bandwidth + 1)
    share = lags / bandwidth
    weighted = np.where(share <= 0.5, 1.0, 2.0 * (1.0 - share)) * autocorrelation[lags]
    spectrum = 1.0 + 2.0 * float(weighted.sum())
    curvature = 2.0 * float((lags * weighted).sum())
    longest = max(1, math.ceil(min(3.0 * math.sqrt(count), count / 3.0)))
    if spectrum == 0.0:
        return longest
    length = math.cbrt(1.5 * (curvature / spectrum) ** 2 * count)
    return min(longest, max(1, round(length)))


def _bandwidth(autocorrelation: FloatArray) -> int:
    """Twice the lag after which several in a row are insignificant; 0: none is significant."""
    count = len(autocorrelation)
    in_a_row = max(_FEWEST_INSIGNIFICANT_LAGS, math.ceil(math.sqrt(math.log10(count))))
    last = min(math.ceil(math.sqrt(count)) + in_a_row, count - 1)
    limit = _SIGNIFICANT * math.sqrt(math.log10(count) / count)
    settled = 0
    for lag in np.flatnonzero(np.abs(autocorrelation[1 : last + 1]) >= limit) + 1:
        if lag - settled > in_a_row:
            break
        settled = int(lag)
    return min(2 * settled, last)


def _ranks(samples: Int64Array) -> FloatArray:
    _, inverse, counts = np.unique(samples, return_inverse=True, return_counts=True)
    shared = np.cumsum(counts) - (counts - 1) / 2.0
    ranks: FloatArray = shared[inverse]
    return ranks
