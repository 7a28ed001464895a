"""Which results no other one beats in everything."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.metrics import METRICS
from trimtab.records import Result


def pareto_front(results: Sequence[Result], metrics: Sequence[str]) -> tuple[Result, ...]:
    """Results that are nowhere worse and somewhere better than each other one, in their order.

    By the figures' values alone. A result without a valid figure for each metric is left out.
    """
    costs = {index: cost for index, r in enumerate(results) if (cost := _costs(r, metrics))}
    return tuple(
        results[index]
        for index, cost in costs.items()
        if not any(_dominates(other, cost) for other in costs.values())
    )


def _costs(result: Result, metrics: Sequence[str]) -> tuple[float, ...] | None:
    """Lower is better in each; None where a figure is missing or invalid."""
    costs: list[float] = []
    for name in metrics:
        metric = result.metrics.get(name)
        if result.error is not None or metric is None or metric.value is None or not metric.valid:
            return None
        costs.append(metric.value if METRICS[name].better == "lower" else -metric.value)
    return tuple(costs)


def _dominates(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return first != second and all(a <= b for a, b in zip(first, second, strict=True))
