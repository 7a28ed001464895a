"""Between records and table rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import insert
from sqlalchemy.orm import Session

from trimtab.records import Metric, Provenance, RawRepeat, Result, Run, SensorSeries
from trimtab.store import codec
from trimtab.store.decisions import decision_document, decision_from
from trimtab.store.schema import Base, MetricRow, RepeatRow, ResultRow, RunRow, SensorRow

Values = dict[str, Any]


def run_values(run: Run) -> Values:
    return {
        "run_id": run.run_id,
        "name": run.name,
        "created": run.created,
        "decision": decision_document(run.decision, run.results) if run.decision else None,
    }


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


def variant_values(run: Run) -> list[Values]:
    return [
        {
            "run_id": run.run_id,
            "position": position,
            "name": variant.name,
            "format": variant.format,
            "document": codec.plain(variant),
        }
        for position, variant in enumerate(run.variants)
    ]


def insert_results(session: Session, run_id: str, results: Sequence[Result], first: int) -> None:
    """``first``: the position of the first of them.

    Plain inserts: an object of the mapper's for each of some forty figures took twice as long as
    all else that a result costs.
    """
    placed = [
        ({"run_id": run_id, "position": first + index}, result, result.raw)
        for index, result in enumerate(results)
    ]
    tables: dict[type[Base], list[Values]] = {
        ResultRow: [{**place, **_result_values(result)} for place, result, _ in placed],
        MetricRow: [
            {**place, **values}
            for place, result, _ in placed
            for values in _metrics_values(result.metrics)
        ],
        RepeatRow: [
            {**place, **_repeat_values(*item)}
            for place, _, raw in placed
            for item in enumerate(raw.repeats if raw else ())
        ],
        SensorRow: [
            {**place, **values}
            for place, _, raw in placed
            for item in enumerate(raw.repeats if raw else ())
            for values in _sensors_values(*item)
        ],
    }
    for table, rows in tables.items():
        if rows:
            session.connection().execute(insert(table.__table__), rows)  # type: ignore[arg-type]


def _result_values(result: Result) -> Values:
    return {
        "device_name": result.device.name,
        "device_id": result.device.device_id,
        "variant": result.variant,
        "artifact_sha256": result.artifact.sha256,
        "format": result.artifact.format,
        "runtime": result.settings.runtime,
        "failed": result.error is not None,
        "document": codec.result_document(result),
    }


def _metrics_values(metrics: Mapping[str, Metric]) -> list[Values]:
    return [
        {
            "metric_position": position,
            "name": name,
            "value": metric.value,
            "unit": metric.unit,
            "provenance": metric.provenance,
            "ci95_low": metric.ci95[0] if metric.ci95 else None,
            "ci95_high": metric.ci95[1] if metric.ci95 else None,
            "valid": metric.valid,
            "reason": metric.reason,
        }
        for position, (name, metric) in enumerate(metrics.items())
    ]


def _repeat_values(position: int, repeat: RawRepeat) -> Values:
    return {
        "repeat_position": position,
        "repeat_index": repeat.index,
        "start_offset_ns": codec.pack_samples(repeat.start_offset_ns),
        "latency_ns": codec.pack_samples(repeat.latency_ns),
        "load_ns": repeat.load_ns,
        "first_inference_ns": repeat.first_inference_ns,
        "io_ns": repeat.io_ns,
    }


def _sensors_values(position: int, repeat: RawRepeat) -> list[Values]:
    return [
        {
            "repeat_position": position,
            "name": name,
            "offset_ns": codec.pack_samples(series.offset_ns),
            "readings": codec.pack_readings(series.values),
        }
        for name, series in repeat.sensors.items()
    ]


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
