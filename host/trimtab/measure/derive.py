"""Figures against the float model: same evaluation set, format, runtime, settings and device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trimtab.measure import accuracy, agreement, stats
from trimtab.measure.agreement import Reference
from trimtab.measure.summarize import Scoring, figure
from trimtab.measure.unavailable import unavailable
from trimtab.measure.validity import judged
from trimtab.metrics import METRICS
from trimtab.records import Check, Metric, RawArm, Result

FLOAT_VARIANT = "float"
_DERIVED = ("accuracy_drop", "accuracy_retention", "compression_ratio", "speedup")
_Figures = dict[str, Metric]


def with_derived(
    results: Sequence[Result],
    scoring: Scoring | None = None,
    float_variant: str = FLOAT_VARIANT,
    reference: Reference | None = None,
) -> tuple[Result, ...]:
    """The results, in order, each with its figures against the float model's result.

    Without such a result they are unavailable, with the reason. Failed results stay as they are.
    Outputs are compared with ``reference`` where it is given, else with the float model's; those
    that agree less than the result's settings demand void what was measured.
    """
    agreed = [
        result
        if result.error is not None
        else _with_agreement(result, results, float_variant, reference)
        for result in results
    ]
    return tuple(
        result if result.error is not None else _derived(result, agreed, scoring, float_variant)
        for result in agreed
    )


def _with_agreement(
    result: Result,
    results: Sequence[Result],
    float_variant: str,
    reference: Reference | None,
) -> Result:
    figures, check = _agreement(result, results, float_variant, reference)
    checks = (*agreement.without_check(result.checks), check)
    merged = {**result.metrics, **figures}
    judged_again = {name: judged(name, merged[name], checks) for name in METRICS if name in merged}
    return replace(result, metrics=judged_again, checks=checks)


def _agreement(
    result: Result,
    results: Sequence[Result],
    float_variant: str,
    reference: Reference | None,
) -> tuple[_Figures, Check]:
    if reference is None and result.variant is None:
        check = agreement.unchecked(result.runtime_package, result.runtime_version)
        return agreement.missing(check.seen), check
    other: Result | str | None
    if reference is None:
        other, name = _model_result(result, results, float_variant), "the float model"
    else:
        other, name = _reference_result(reference, result, results), reference.name
    if isinstance(other, str):
        return agreement.missing(other), agreement.unknown(other)
    try:
        was = outputs_of(other) if other is not None else (reference and reference.outputs) or {}
        found = agreement.compare(was, outputs_of(result))
    except accuracy.CannotScore as reason:
        return agreement.missing(str(reason)), agreement.unknown(str(reason))
    figures = agreement.figures(found)
    if other is result:
        exact = {name: agreement.exact(metric) for name, metric in figures.items()}
        return exact, agreement.not_applicable("it is the reference itself")
    return figures, agreement.judge(found, agreement.limits_of(result.settings), name)


def _model_result(result: Result, results: Sequence[Result], float_variant: str) -> Result | str:
    """What a variant is compared with: the float model there; and that with the device's first.

    A runtime that computes every file wrongly would agree with itself.
    """
    if result.variant != float_variant:
        return float_result(result, results, float_variant)
    return next(
        other
        for other in results
        if other.variant == float_variant and other.device == result.device and other.error is None
    )


def _reference_result(
    reference: Reference, result: Result, results: Sequence[Result]
) -> Result | str | None:
    """The reference's own result on the same device, why there is none, or None: from a file."""
    if reference.outputs is not None:
        return None
    on_device = [
        other
        for other in results
        if other.artifact.sha256 == reference.sha256 and other.device == result.device
    ]
    measured = [other for other in on_device if other.error is None]
    if not measured:
        failure = next((other.error for other in on_device if other.error), None)
        return f"the reference {reference.name} failed: {failure.message if failure else 'not run'}"
    if result.artifact.sha256 == reference.sha256:
        # The same file in several runtimes: the first one's outputs count, not each one's own.
        return measured[0]
    alike = [other for other in measured if other.settings == result.settings]
    return (alike or measured)[0]


def _derived(
    result: Result, results: Sequence[Result], scoring: Scoring | None, float_variant: str
) -> Result:
    reference = float_result(result, results, float_variant)
    if isinstance(reference, str):
        figures = {name: unavailable(name, reference) for name in _DERIVED}
    else:
        figures = _against(reference, result, scoring)
    merged = {**result.metrics, **figures}
    return replace(result, metrics={name: merged[name] for name in METRICS if name in merged})


def float_result(
    result: Result, results: Sequence[Result], float_variant: str = FLOAT_VARIANT
) -> Result | str:
    """The result to compare with, or why there is none."""
    if result.variant is None:
        return "a file by itself has no float model to compare with"
    alike = [
        other
        for other in results
        if other.variant == float_variant
        and other.device == result.device
        and other.artifact.format == result.artifact.format
        and other.settings == result.settings
    ]
    if not alike:
        return (
            f"no float model measured as {result.artifact.format} in {result.settings.runtime} "
            f"on {result.device.name} with the same settings"
        )
    measured = next((other for other in alike if other.error is None), None)
    if measured is None:
        failure = alike[0].error
        return f"the float model failed there: {failure.message if failure else 'no reason given'}"
    return measured


def _against(reference: Result, result: Result, scoring: Scoring | None) -> _Figures:
    figures = {
        "compression_ratio": figure(
            "compression_ratio",
            reference.artifact.size_bytes / result.artifact.size_bytes,
            provenance="derived",
        )
        if result.artifact.size_bytes
        else unavailable("compression_ratio", "the artifact is empty"),
        "speedup": _speedup(reference, result),
        **_accuracy_against(reference, result, scoring),
    }
    return {name: judged_by_both(name, figures[name], reference, result) for name in figures}


def judged_by_both(name: str, metric: Metric, reference: Result, result: Result) -> Metric:
    if reference is not result:
        against_float = judged(name, metric, reference.checks)
        if not against_float.valid:
            return replace(against_float, reason=f"the float model's {against_float.reason}")
    return judged(name, metric, result.checks)


def _speedup(reference: Result, result: Result) -> Metric:
    was, now = (each.metrics["latency_p50_ms"] for each in (reference, result))
    if was.value is None or now.value is None or now.value <= 0:
        return unavailable("speedup", now.reason or was.reason or "the clock saw no time pass")
    if reference is result:
        return figure("speedup", 1.0, provenance="derived")
    ci95 = stats.log_ratio_interval(_medians(reference.raw), _medians(result.raw))
    return figure("speedup", was.value / now.value, ci95, "derived")


def _medians(raw: RawArm | None) -> list[float]:
    repeats = raw.repeats if raw is not None else ()
    return stats.per_repeat("p50", [repeat.latency_ns for repeat in repeats])


def outputs_of(result: Result) -> accuracy.Outputs:
    """Of the clean samples. Raises CannotScore."""
    if result.raw is None or result.raw.evaluation_outputs is None:
        failure = result.raw.evaluation_failure if result.raw is not None else None
        raise accuracy.CannotScore(
            failure.message if failure else "no evaluation set was given, so no outputs came back"
        )
    return accuracy.load_outputs(result.raw.evaluation_outputs)


def _accuracy_against(reference: Result, result: Result, scoring: Scoring | None) -> _Figures:
    was, now = (each.metrics["accuracy"] for each in (reference, result))
    if was.value is None or now.value is None:
        reason = now.reason or f"the float model's accuracy: {was.reason}"
        return {name: unavailable(name, reason) for name in ("accuracy_drop", "accuracy_retention")}
    drop_ci, retention_ci = _paired_intervals(reference, result, scoring)
    drop = figure("accuracy_drop", was.value - now.value, drop_ci, "derived")
    if was.value <= 0:
        retention = unavailable("accuracy_retention", f"the float model's accuracy is {was.value}")
    else:
        retention = figure("accuracy_retention", now.value / was.value, retention_ci, "derived")
    return {"accuracy_drop": drop, "accuracy_retention": retention}


def _paired_intervals(
    reference: Result, result: Result, scoring: Scoring | None
) -> tuple[stats.Interval | None, stats.Interval | None]:
    """Only top-1 accuracy has them: a metric of the task's own is not a mean over samples."""
    if scoring is None or scoring.metric is not None or reference is result:
        return None, None
    try:
        was, now = (
            accuracy.correct(outputs_of(each), scoring.evaluation.targets)
            for each in (reference, result)
        )
    except accuracy.CannotScore:
        return None, None
    return (
        accuracy.paired_drop_interval(was, now),
        accuracy.paired_retention_interval(was, now),
    )
