"""How fast something grows with the number of agents."""

from __future__ import annotations

import math
from collections.abc import Sequence


def exponent(counts: Sequence[int], values: Sequence[float]) -> float:
    """The b of a·n^b by least squares over the logarithms: 1 is linear, 2 quadratic, 0 constant.

    Raises ValueError where there are fewer than two sizes, or a value is not above 0.
    """
    if len(set(counts)) < 2 or min(values) <= 0:
        raise ValueError("growth needs two sizes, and values above 0")
    x, y = [math.log(count) for count in counts], [math.log(value) for value in values]
    x_mean, y_mean = sum(x) / len(x), sum(y) / len(y)
    steep = sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True))
    return steep / sum((a - x_mean) ** 2 for a in x)


def line(counts: Sequence[int], values: Sequence[float]) -> tuple[float, float]:
    """Intercept and slope by least squares."""
    x_mean, y_mean = sum(counts) / len(counts), sum(values) / len(values)
    steep = sum((a - x_mean) * (b - y_mean) for a, b in zip(counts, values, strict=True))
    slope = steep / sum((a - x_mean) ** 2 for a in counts)
    return y_mean - slope * x_mean, slope
