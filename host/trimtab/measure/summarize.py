"""From what a device said of one arm to its figures. Times in ms; a MB is 10^6 bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.measure import accuracy, stats, sustained
from trimtab.measure.energy import energy_checks, energy_figures
from trimtab.measure.memory import memory_figures
from trimtab.measure.model_figures import model_figures
from trimtab.measure.unavailable import unavailable
from trimtab.measure.validity import judged
from trimtab.metrics import METRICS
from trimtab.records import (
    Artifact,
    Check,
    DevicePower,
    DeviceRef,
    EvaluationSet,
    MeasurementSettings,
    Metric,
    Provenance,
    RawArm,
    Result,
)

_NS_PER_MS = 1e6
_MS_PER_S = 1e3
_BYTES_PER_MB = 1e6
_LATENCIES = {
    "latency_p50_ms": "p50",
    "latency_p90_ms": "p90",
    "latency_p99_ms": "p99",
    "latency_mean_ms": "mean",
}


@dataclass(frozen=True)
class Scoring:
    """How accuracy is found: the targets, and the task's metric; None: top-1 accuracy."""

    evaluation: EvaluationSet
    metric: accuracy.MetricFunction | None = None


def summarize(
    raw: RawArm,
    artifact: Artifact,
    settings: MeasurementSettings,
    scoring: Scoring | None = None,
    *,
    power: DevicePower | None = None,
) -> dict[str, Metric]:
    """Every figure that one arm gives by itself; what compares with the float model comes later.

    A figure that a failed check voids is there, invalid. A failed arm has none. ``power``: what the
    user says of the device's battery and power.
    """
    if raw.failure is not None:
        return {}
    figures: dict[str, Metric] = {}
    figures |= _latencies(raw)
    figures["throughput_per_s"] = _throughput(figures["latency_mean_ms"], settings)
    figures |= _sustained(raw, settings)
    figures |= _once_a_repeat(raw)
    figures |= memory_figures(raw)
    figures |= energy_figures(raw, settings, power)
    figures |= _sizes(artifact)
    figures |= model_figures()
    figures["accuracy"] = _accuracy(raw, scoring)
    checks = _all_checks(raw, settings)
    return {name: judged(name, figures[name], checks) for name in METRICS if name in figures}


def build_result(  # noqa: PLR0913 - what a result says of where it comes from
    raw: RawArm,
    artifact: Artifact,
    settings: MeasurementSettings,
    device: DeviceRef,
    scoring: Scoring | None = None,
    *,
    variant: str | None = None,
    job_id: str = "",
    power: DevicePower | None = None,
) -> Result:
    """The arm's result without the figures that compare it with the float model."""
    return Result(
        device=device,
        artifact=artifact,
        settings=settings,
        metrics=summarize(raw, artifact, settings, scoring, power=power),
        checks=_all_checks(raw, settings),
        conditions=raw.conditions,
        runtime_version=raw.runtime_version,
        runtime_package=raw.runtime_package,
        accelerator_used=raw.accelerator_used,
        sample_count=sum(len(repeat.latency_ns) for repeat in raw.repeats),
        process_count=len(raw.repeats),
        variant=variant,
        job_id=job_id,
        error=raw.failure,
        raw=raw,
        power=power or DevicePower(),
    )


def figure(
    name: str,
    value: float,
    ci95: stats.Interval | None = None,
    provenance: Provenance = "measured",
) -> Metric:
    return Metric(value, METRICS[name].unit, provenance, ci95)


def _all_checks(raw: RawArm, settings: MeasurementSettings) -> tuple[Check, ...]:
    """The device's, and those that the host makes of the samples; a failed arm has no more."""
    if raw.failure is not None:
        return raw.checks
    own = (*_interval_check(settings), *sustained.settled_check(raw, settings))
    return (*raw.checks, *own, *energy_checks(raw))


def _interval_check(settings: MeasurementSettings) -> tuple[Check, ...]:
    """One process says nothing of how much the next one would differ."""
    if settings.repeats > 1:
        return ()
    seen = "1 process: no interval can be given"
    advice = "repeat at least 3 times, 5 for comparing"
    return (Check("INTERVAL_KNOWN", "unknown", False, ("latency",), seen, advice),)


def _latencies(raw: RawArm) -> dict[str, Metric]:
    samples = [repeat.latency_ns for repeat in raw.repeats]
    return {
        name: _from_statistic(name, stats.statistic(wanted, samples))
        for name, wanted in _LATENCIES.items()
    }


def _sustained(raw: RawArm, settings: MeasurementSettings) -> dict[str, Metric]:
    """The repeat is the unit here too: of a single one there is no interval."""
    names = ("latency_sustained_ms", "sustained_slowdown")
    if settings.sustain_s is None:
        return {name: unavailable(name, sustained.NOT_ASKED) for name in names}
    found = sustained.curves(raw)
    missing = [each.reason for each in found if isinstance(each, sustained.NoCurve)]
    if missing or not found:
        reason = missing[0] if missing else "no repeat was measured"
        return {name: unavailable(name, reason) for name in names}
    whole = [each for each in found if isinstance(each, sustained.Curve)]
    latency = stats.over_repeats([each.sustained_p50_ms * _NS_PER_MS for each in whole])
    return {
        "latency_sustained_ms": _from_statistic("latency_sustained_ms", latency),
        "sustained_slowdown": _slowdown([each.slowdown for each in whole]),
    }


def _slowdown(of_repeats: Sequence[float | None]) -> Metric:
    known = [each for each in of_repeats if each is not None]
    found = stats.over_repeats(known)
    if isinstance(found, stats.TooFewSamples) or len(known) < len(of_repeats):
        return unavailable("sustained_slowdown", sustained.NO_BEGINNING)
    return figure("sustained_slowdown", found.value, found.ci95, "derived")


def _throughput(mean: Metric, settings: MeasurementSettings) -> Metric:
    """Back to back: the mean latency's inverse, times the samples of a batch."""
    if settings.rate_hz is not None:
        reason = f"measured at {settings.rate_hz:g} Hz, not back to back"
        return unavailable("throughput_per_s", reason)
    if mean.value is None or mean.value <= 0:
        return unavailable("throughput_per_s", mean.reason or "the clock saw no time pass")
    per_ms = _MS_PER_S * (settings.batch_size or 1)
    ci95 = (per_ms / mean.ci95[1], per_ms / mean.ci95[0]) if mean.ci95 else None
    return figure("throughput_per_s", per_ms / mean.value, ci95, "derived")


def _once_a_repeat(raw: RawArm) -> dict[str, Metric]:
    io = [repeat.io_ns for repeat in raw.repeats if repeat.io_ns is not None]
    found = {
        "load_ms": [repeat.load_ns for repeat in raw.repeats],
        "first_inference_ms": [repeat.first_inference_ns for repeat in raw.repeats],
        "io_ms": io,
    }
    return {
        name: _from_statistic(name, stats.over_repeats(values))
        if values
        else _absent(raw, name, "the device did not report it")
        for name, values in found.items()
    }


def _from_statistic(name: str, found: stats.Figure | stats.TooFewSamples) -> Metric:
    if isinstance(found, stats.TooFewSamples):
        return unavailable(name, str(found))
    ci95 = (found.ci95[0] / _NS_PER_MS, found.ci95[1] / _NS_PER_MS) if found.ci95 else None
    return figure(name, found.value / _NS_PER_MS, ci95)


def _absent(raw: RawArm, name: str, otherwise: str) -> Metric:
    """With the device's own reason for this figure, else for its family (``energy``)."""
    family = name.split("_")[0]
    return unavailable(name, raw.unavailable.get(name) or raw.unavailable.get(family) or otherwise)


def _sizes(artifact: Artifact) -> dict[str, Metric]:
    return {
        "size_mb": figure("size_mb", artifact.size_bytes / _BYTES_PER_MB),
        "download_mb": figure("download_mb", artifact.download_bytes / _BYTES_PER_MB),
    }


def _accuracy(raw: RawArm, scoring: Scoring | None) -> Metric:
    if raw.evaluation_failure is not None:
        return unavailable("accuracy", raw.evaluation_failure.message)
    if scoring is None:
        return _absent(raw, "accuracy", "no evaluation set was given")
    if raw.evaluation_outputs is None:
        return _absent(raw, "accuracy", "the device returned no outputs")
    try:
        return _score(accuracy.load_outputs(raw.evaluation_outputs), scoring)
    except accuracy.CannotScore as reason:
        return unavailable("accuracy", str(reason))


def _score(outputs: accuracy.Outputs, scoring: Scoring) -> Metric:
    targets = scoring.evaluation.targets
    if scoring.metric is not None:
        return figure("accuracy", accuracy.custom_score(outputs, targets, scoring.metric))
    right = accuracy.correct(outputs, targets)
    if not len(right):
        return unavailable("accuracy", "the evaluation set is empty")
    ci95 = accuracy.wilson_interval(int(right.sum()), len(right))
    return figure("accuracy", int(right.sum()) / len(right), ci95)
