"""Medians, without the ``statistics`` module: the fractions and decimals that it brings along are
most of a megabyte in an agent that idles."""

from __future__ import annotations

from collections.abc import Iterable


def median(values: Iterable[float]) -> float:
    """Raises IndexError where there is none."""
    ordered = sorted(values)
    half = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[half]
    return (ordered[half - 1] + ordered[half]) / 2


def median_low(values: Iterable[int]) -> int:
    """The lower of the two in the middle. Raises IndexError where there is none."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2]
