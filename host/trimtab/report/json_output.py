"""The machine-readable forms: ``trimtab.bench/1``, ``trimtab.run/1``, ``trimtab.lineage/1``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from trimtab_protos.errors import Failure

from trimtab.decide.labels import chosen_label
from trimtab.records import Artifact, Check, Decision, DeviceDecision, Metric, Result, Run, Variant
from trimtab.report.diagnostics_view import diagnostics_json
from trimtab.report.profile_view import profile_json
from trimtab.report.robustness_view import robustness_json
from trimtab.report.sustained_view import sustained_json
from trimtab.store.decisions import position_of
from trimtab.store.recorded_origin import without_folder

BENCH_SCHEMA = "trimtab.bench/1"
RUN_SCHEMA = "trimtab.run/1"
LINEAGE_SCHEMA = "trimtab.lineage/1"
Json = dict[str, Any]


def bench_json(results: Sequence[Result]) -> Json:
    return {"schema": BENCH_SCHEMA, "results": [_result(result) for result in results]}


def run_json(run: Run) -> Json:
    return {
        "schema": RUN_SCHEMA,
        "run_id": run.run_id,
        "variants": [_variant(variant) for variant in run.variants],
        "results": [
            {"variant": result.variant, "job_id": result.job_id, **_result(result)}
            for result in run.results
        ],
        "decision": _decision(run.decision, run.results) if run.decision is not None else None,
    }


def lineage_json(run: Run, chosen: Sequence[Variant]) -> Json:
    variants = [_variant(variant) for variant in chosen]
    return {"schema": LINEAGE_SCHEMA, "run_id": run.run_id, "variants": variants}


def _result(result: Result) -> Json:
    return {
        "device": asdict(result.device),
        "runtime": {
            "name": result.settings.runtime,
            "version": result.runtime_version,
            "package": result.runtime_package,
            "accelerator": {
                "asked": result.settings.accelerator,
                "used": result.accelerator_used or None,
            },
        },
        "artifact": _artifact(result.artifact),
        "settings": asdict(result.settings),
        "verdict": {"valid": result.valid, "checks": [_check(each) for each in result.checks]},
        "error": _error(result.error),
        "metrics": {name: _metric(metric) for name, metric in result.metrics.items()}
        if result.error is None
        else {},
        "sample_count": result.sample_count,
        "process_count": result.process_count,
        "diagnostics": diagnostics_json(result),
        "conditions": dict(result.conditions),
        "profile": profile_json(result.raw.profile) if result.raw is not None else None,
        "sustained": sustained_json(result),
        "robustness": robustness_json(result.robustness),
    }


def _artifact(artifact: Artifact) -> Json:
    """``sha256`` is the model file's; ``size_bytes`` counts its external data too."""
    return {
        "file": artifact.name,
        "format": artifact.format,
        "sha256": artifact.sha256,
        "size_bytes": artifact.size_bytes,
    }


def _check(check: Check) -> Json:
    return {
        "name": check.name,
        "outcome": check.outcome,
        "severity": "invalidates" if check.invalidates else "warns",
        "metrics": list(check.metrics),
        "seen": check.seen,
        "advice": check.advice,
    }


def _metric(metric: Metric) -> Json:
    return {
        "value": metric.value,
        "unit": metric.unit,
        "ci95": list(metric.ci95) if metric.ci95 is not None else None,
        "valid": metric.valid and metric.value is not None,
        "provenance": metric.provenance,
        "reason": metric.reason,
    }


def _error(failure: Failure | None) -> Json | None:
    if failure is None:
        return None
    return {"class": failure.failure_class, "message": failure.message}


def _variant(variant: Variant) -> Json:
    return {
        "name": variant.name,
        "format": variant.format,
        "recipe": [dict(step) for step in variant.recipe],
        "lineage": list(variant.lineage),
        "layers": [asdict(each) for each in variant.layers],
        "origin": asdict(without_folder(variant.origin)) if variant.origin is not None else None,
        "artifact": _artifact(variant.artifact) if variant.artifact is not None else None,
        "download_bytes": variant.artifact.download_bytes if variant.artifact is not None else None,
        "error": _error(variant.failure),
    }


def _decision(decision: Decision, results: Sequence[Result]) -> Json:
    return {
        "requirements": [asdict(requirement) for requirement in decision.requirements],
        "objective": asdict(decision.objective),
        "devices": [_device_decision(each, results) for each in decision.devices],
    }


def _device_decision(decided: DeviceDecision, results: Sequence[Result]) -> Json:
    return {
        "device": asdict(decided.device),
        "chosen": _chosen(decided, results),
        "reason": decided.reason,
        "objective_used": decided.objective_used,
        "not_chosen": [asdict(each) for each in decided.not_chosen],
        "warnings": list(decided.warnings),
    }


def _chosen(decided: DeviceDecision, results: Sequence[Result]) -> Json | None:
    """``result`` is the position in the run's results."""
    chosen = decided.chosen
    if chosen is None:
        return None
    return {
        "label": chosen_label(decided, results),
        "variant": chosen.variant,
        "file": chosen.artifact.name,
        "format": chosen.artifact.format,
        "runtime": chosen.settings.runtime,
        "result": position_of(chosen, results),
    }
