"""Which figures a failed check voids, and how a voided figure says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from trimtab.records import Check, Metric

# Facts about the files: no check made on a device speaks of them.
FILE_METRICS = frozenset(
    {"size_mb", "download_mb", "compression_ratio", "parameters", "macs", "sparsity"}
)
# What a figure is computed from, where that goes by another name.
_COMPUTED_FROM = {
    "throughput_per_s": "latency_mean_ms",
    "speedup": "latency_p50_ms",
    "sustained_slowdown": "latency_sustained_ms",
    "battery_hours": "power_mean_w",
    "battery_share_per_1k": "energy_mj",
    "accuracy_drop": "accuracy",
    "accuracy_retention": "accuracy",
    "worst_class_drop": "accuracy",
    "robust_accuracy": "accuracy",
    "agreement": "accuracy",
    "sqnr_db": "accuracy",
    "max_abs_difference": "accuracy",
}


# A load is sustained to see whether the device throttles: that voids the ordinary latencies, which
# are then of two states, and not the figures of the state that it ends in.
_SHOWN_BY = {
    "latency_sustained_ms": "NOT_THROTTLED",
    "sustained_slowdown": "NOT_THROTTLED",
}


def speaks_of(check: Check, metric: str) -> bool:
    """A check may name a whole family: ``latency`` speaks of ``latency_p50_ms``."""
    if metric in FILE_METRICS or _SHOWN_BY.get(metric) == check.name:
        return False
    if not check.metrics:
        return True
    names = {metric, _COMPUTED_FROM.get(metric, metric)}
    return any(
        name == spoken or name.startswith(f"{spoken}_")
        for name in names
        for spoken in check.metrics
    )


def invalidating(checks: Iterable[Check]) -> tuple[Check, ...]:
    return tuple(check for check in checks if check.outcome == "failed" and check.invalidates)


def warnings(checks: Iterable[Check]) -> tuple[Check, ...]:
    """What failed without voiding anything, and what could not be known."""
    return tuple(
        check
        for check in checks
        if check.outcome == "unknown" or (check.outcome == "failed" and not check.invalidates)
    )


def judged(name: str, metric: Metric, checks: Iterable[Check]) -> Metric:
    """The metric, marked invalid with the reason where a failed check speaks of it."""
    against = [check for check in invalidating(checks) if speaks_of(check, name)]
    if not against or metric.value is None:
        return metric
    reason = "; ".join(f"{check.name}: {check.seen}" for check in against)
    return replace(metric, valid=False, reason=reason)
