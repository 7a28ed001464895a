"""What was read around a repeat, sensor by sensor; the units stand in the sensors' names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from trimtab_agent.disturbance import Reading
from trimtab_agent.probes.throttling import LIVE_FLAGS
from trimtab_agent.records import SensorBatch

READINGS_PER_BATCH = 8192
_Value = float | int | None


def sensor_batches(readings: Sequence[Reading]) -> tuple[SensorBatch, ...]:
    """A sensor that told nothing has no batch; one that told too much for a message has several.

    ``throttled``, ``under_voltage``, ``frequency_capped`` and ``soft_temperature_limit`` are 1
    while they hold; ``runnable_threads`` counts the whole machine's, the worker's among them.
    """
    series: dict[str, Iterable[_Value]] = {
        "temperature_c": [each.temperature_c for each in readings],
        "frequency_mhz": [each.frequency_mhz for each in readings],
        "throttle_count": [each.throttle_count for each in readings],
        "runnable_threads": [each.runnable for each in readings],
        **{_sensor_name(flag): _flag(flag, readings) for flag in LIVE_FLAGS},
    }
    return tuple(
        batch for name, values in series.items() for batch in _batches(name, values, readings)
    )


def _sensor_name(flag: str) -> str:
    return flag.replace(" ", "_").replace("-", "_")


def _flag(flag: str, readings: Sequence[Reading]) -> list[_Value]:
    """A machine that counts throttlings tells of none that lasts: it has no flags to show."""
    has_flags = any(each.flags for each in readings)
    if not has_flags and any(each.throttle_count is not None for each in readings):
        return [None for _ in readings]
    return [None if each.flags is None else float(flag in each.flags) for each in readings]


def _batches(
    name: str, values: Iterable[_Value], readings: Sequence[Reading]
) -> Iterable[SensorBatch]:
    told = [
        (reading.offset_ns, float(value))
        for reading, value in zip(readings, values, strict=True)
        if value is not None
    ]
    return in_batches(name, [at for at, _ in told], [value for _, value in told])


def in_batches(
    name: str, offset_ns: Sequence[int], values: Sequence[float]
) -> Iterator[SensorBatch]:
    """One sensor's readings, no more in one than a message may hold."""
    for begin in range(0, len(values), READINGS_PER_BATCH):
        end = begin + READINGS_PER_BATCH
        yield SensorBatch(name, tuple(offset_ns[begin:end]), tuple(values[begin:end]))
