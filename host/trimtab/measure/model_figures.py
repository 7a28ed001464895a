"""Figures that no device is needed for: what the model of a variant consists of."""

from __future__ import annotations

from dataclasses import replace

from trimtab.metrics import METRICS
from trimtab.records import Metric, ModelFacts, Provenance, Result

FIGURES = ("parameters", "macs", "sparsity")
_NOT_COUNTED = "counted where trimtab makes a variant; this file was only measured"
# Zeros and parameters are counted, multiply-accumulates follow from the shapes.
_PROVENANCE: dict[str, Provenance] = {"macs": "derived"}


def model_figures(facts: ModelFacts | None = None) -> dict[str, Metric]:
    return {name: _figure(name, facts) for name in FIGURES}


def with_model_figures(result: Result, facts: ModelFacts | None) -> Result:
    """Failed results have no figures."""
    if facts is None or result.error is not None:
        return result
    return replace(result, metrics={**result.metrics, **model_figures(facts)})


def _figure(name: str, facts: ModelFacts | None) -> Metric:
    unit = METRICS[name].unit
    value = getattr(facts, name) if facts is not None else None
    if value is None:
        told = facts.unknown.get(name) if facts is not None else None
        return Metric(None, unit, "unavailable", reason=told or _NOT_COUNTED)
    return Metric(float(value), unit, _PROVENANCE.get(name, "measured"))
