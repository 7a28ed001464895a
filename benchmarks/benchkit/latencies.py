"""What is kept of a process's samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Latency = dict[str, float]


def latency_of(samples_ns: Sequence[int]) -> Latency:
    """p50 and p90 in nanoseconds, and of how many samples."""
    p50, p90 = np.quantile(np.asarray(samples_ns), (0.5, 0.9))
    return {"p50": float(p50), "p90": float(p90), "count": len(samples_ns)}
