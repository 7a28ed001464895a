"""Sensors and their readings from protobuf."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from trimtab_protos.v1 import benchmark_pb2, device_pb2

from trimtab.fleet.jobs import Readings, int64
from trimtab.records import SensorInfo, SensorKind, SensorRole, SensorSeries, Window

_Sensor = device_pb2.SensorInfo
_KINDS: Mapping[int, SensorKind] = {
    _Sensor.KIND_INSTANTANEOUS: "instantaneous",
    _Sensor.KIND_AVERAGED: "averaged",
    _Sensor.KIND_COUNTER: "counter",
}
_ROLES: Mapping[int, SensorRole] = {
    _Sensor.ROLE_TOTAL: "total",
    _Sensor.ROLE_ADDEND: "addend",
    _Sensor.ROLE_PART: "part",
    _Sensor.ROLE_OTHER: "other",
}


def sensor_info(message: device_pb2.SensorInfo) -> SensorInfo:
    """A kind or a role that only a newer agent knows is none."""
    return SensorInfo(
        name=message.name,
        unit=message.unit,
        scope=message.scope,
        unavailable_reason=message.unavailable_reason,
        kind=_KINDS.get(message.kind),
        role=_ROLES.get(message.role),
        sample_period_ns=message.sample_period.ToNanoseconds(),
        counter_range=message.counter_range if np.isfinite(message.counter_range) else 0.0,
    )


def readings(batch: benchmark_pb2.SensorBatch) -> Readings:
    """A sensor may say "not a number": that is no reading."""
    values = np.array(batch.values, dtype=np.float64)
    told = np.isfinite(values)
    series = SensorSeries(int64(batch.offset_ns)[: len(values)][told], values[told])
    return Readings(batch.sensor, series)


def window(event: benchmark_pb2.JobEvent) -> Window | None:
    """None for a phase that only a newer agent knows, and for one that ends before it begins."""
    told = event.window
    if told.end_offset_ns < told.begin_offset_ns or told.inference_count < 0:
        return None
    if event.phase == benchmark_pb2.PHASE_MEASURE:
        return Window("measure", told.begin_offset_ns, told.end_offset_ns, told.inference_count)
    if event.phase == benchmark_pb2.PHASE_IDLE:
        return Window("idle", told.begin_offset_ns, told.end_offset_ns)
    return None
