"""Sensors and their readings to protobuf."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trimtab_protos.v1 import benchmark_pb2, device_pb2

from trimtab_agent.convert_policy import duration_message
from trimtab_agent.records import SensorBatch, SensorInfo, Window

_Sensor = device_pb2.SensorInfo
_KINDS: Mapping[str | None, Any] = {
    None: _Sensor.KIND_UNSPECIFIED,
    "instantaneous": _Sensor.KIND_INSTANTANEOUS,
    "averaged": _Sensor.KIND_AVERAGED,
    "counter": _Sensor.KIND_COUNTER,
}
_ROLES: Mapping[str | None, Any] = {
    None: _Sensor.ROLE_UNSPECIFIED,
    "total": _Sensor.ROLE_TOTAL,
    "addend": _Sensor.ROLE_ADDEND,
    "part": _Sensor.ROLE_PART,
    "other": _Sensor.ROLE_OTHER,
}


def sensor_message(sensor: SensorInfo) -> device_pb2.SensorInfo:
    return _Sensor(
        name=sensor.name,
        unit=sensor.unit,
        sample_period=duration_message(sensor.sample_period_ns),
        scope=sensor.scope,
        unavailable_reason=sensor.unavailable_reason,
        kind=_KINDS[sensor.kind],
        role=_ROLES[sensor.role],
        counter_range=sensor.counter_range,
    )


def set_sensor_batch(message: benchmark_pb2.JobEvent, batch: SensorBatch) -> None:
    message.sensor_batch.sensor = batch.sensor
    message.sensor_batch.offset_ns.extend(batch.offset_ns)
    message.sensor_batch.values.extend(batch.values)


def set_window(message: benchmark_pb2.JobEvent, window: Window) -> None:
    message.window.begin_offset_ns = window.begin_offset_ns
    message.window.end_offset_ns = window.end_offset_ns
    message.window.inference_count = window.inference_count
