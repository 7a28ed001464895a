"""A figure that is not there."""

from __future__ import annotations

from trimtab.metrics import METRICS
from trimtab.records import Metric


def unavailable(name: str, reason: str) -> Metric:
    return Metric(None, METRICS[name].unit, "unavailable", reason=reason)
