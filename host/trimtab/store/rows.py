"""Between records and table rows."""

from __future__ import annotations

from typing import Any, cast

from trimtab.records import Metric, Provenance, RawRepeat, Result, Run, SensorSeries, Variant
from trimtab.store import codec
from trimtab.store.decisions import decision_document, decision_from
from trimtab.store.schema import MetricRow, RepeatRow, ResultRow, RunRow, SensorRow, VariantRow


def run_row(run: Run) -> RunRow:
    return RunRow(
        run_id=run.run_id,
        name=run.name,
        created=run.created,
        decision=decision_document(run.decision, run.results) if run.decision else None,
        variants=[_variant_row(each, index) for index, each in enumerate(run.variants)],
        results=[result_row(each, index) for index, each in enumerate(run.results)],
    )


def run_from(row: RunRow) -> Run:
    results = tuple(_result_from(each) for each in row.results)
    return Run(
        run_id=row.run_id,
        name=row.name,
        created=row.created,
        variants=tuple(codec.variant_from(each.document) for each in row.variants),
        results=results,
        decision=decision_from(row.decision, results) if row.decision else None,
    )


def result_row(result: Result, position: int) -> ResultRow:
    repeats = result.raw.repeats if result.raw is not None else ()
    return ResultRow(
        position=position,
        device_name=result.device.name,
        device_id=result.device.device_id,
        variant=result.variant,
        artifact_sha256=result.artifact.sha256,
        format=result.artifact.format,
        runtime=result.settings.runtime,
        failed=result.error is not None,
        document=codec.result_document(result),
        metrics=[_metric_row(item, index) for index, item in enumerate(result.metrics.items())],
        repeats=[_repeat_row(each, index) for index, each in enumerate(repeats)],
    )


def _variant_row(variant: Variant, position: int) -> VariantRow:
    document: dict[str, Any] = codec.plain(variant)
    return VariantRow(
        position=position, name=variant.name, format=variant.format, document=document
    )


def _metric_row(item: tuple[str, Metric], position: int) -> MetricRow:
    name, metric = item
    low, high = metric.ci95 or (None, None)
    return MetricRow(
        metric_position=position,
        name=name,
        value=metric.value,
        unit=metric.unit,
        provenance=metric.provenance,
        ci95_low=low,
        ci95_high=high,
        valid=metric.valid,
        reason=metric.reason,
    )


def _repeat_row(repeat: RawRepeat, position: int) -> RepeatRow:
    return RepeatRow(
        repeat_position=position,
        repeat_index=repeat.index,
        start_offset_ns=codec.pack_samples(repeat.start_offset_ns),
        latency_ns=codec.pack_samples(repeat.latency_ns),
        load_ns=repeat.load_ns,
        first_inference_ns=repeat.first_inference_ns,
        io_ns=repeat.io_ns,
        sensors=[_sensor_row(name, series) for name, series in repeat.sensors.items()],
    )


def _sensor_row(name: str, series: SensorSeries) -> SensorRow:
    return SensorRow(
        name=name,
        offset_ns=codec.pack_samples(series.offset_ns),
        readings=codec.pack_readings(series.values),
    )


def _result_from(row: ResultRow) -> Result:
    metrics = {each.name: _metric_from(each) for each in row.metrics}
    return codec.result_from(row.document, metrics, tuple(_repeat_from(r) for r in row.repeats))


def _metric_from(row: MetricRow) -> Metric:
    has_interval = row.ci95_low is not None and row.ci95_high is not None
    return Metric(
        value=row.value,
        unit=row.unit,
        provenance=cast(Provenance, row.provenance),
        ci95=(cast(float, row.ci95_low), cast(float, row.ci95_high)) if has_interval else None,
        valid=row.valid,
        reason=row.reason,
    )


def _repeat_from(row: RepeatRow) -> RawRepeat:
    return RawRepeat(
        index=row.repeat_index,
        start_offset_ns=codec.unpack_samples(row.start_offset_ns),
        latency_ns=codec.unpack_samples(row.latency_ns),
        load_ns=row.load_ns,
        first_inference_ns=row.first_inference_ns,
        io_ns=row.io_ns,
        sensors={each.name: _series_from(each) for each in row.sensors},
    )


def _series_from(row: SensorRow) -> SensorSeries:
    return SensorSeries(codec.unpack_samples(row.offset_ns), codec.unpack_readings(row.readings))
