"""The host finds the same moment in a device's readings as the device itself does."""

from typing import Any

import numpy as np
import pytest
from trimtab.measure.throttling import Onset, can_tell, throttle_onset
from trimtab.records import SensorSeries
from trimtab_agent.disturbance import Reading
from trimtab_agent.disturbance import throttle_onset as device_onset
from trimtab_agent.sensor_batches import sensor_batches

SECOND = 10**9
Told = list[dict[str, Any]]


def as_sent(readings: list[Reading]) -> dict[str, SensorSeries]:
    return {
        batch.sensor: SensorSeries(np.array(batch.offset_ns), np.array(batch.values))
        for batch in sensor_batches(readings)
    }


@pytest.mark.parametrize(
    ("told", "second", "seen"),
    [
        ([{"flags": ()}, {"flags": ("under-voltage", "throttled")}], 1, "under-voltage, throttled"),
        ([{"throttle_count": 7}, {"throttle_count": 7}, {"throttle_count": 8}], 2, "counts a thr"),
        (
            [{"frequency_mhz": mhz} for mhz in (1200, 1800, 1500, 1500)],
            2,
            "frequency down from 1800 to 1500 MHz",
        ),
        (
            [
                {"frequency_mhz": 1800, "flags": (), "temperature_c": 70.0},
                {"frequency_mhz": 1000, "flags": (), "temperature_c": 80.06},
                {"frequency_mhz": 1000, "flags": ("throttled",), "temperature_c": 81.0},
            ],
            1,
            "frequency down from 1800 to 1000 MHz, at 80.1 °C",
        ),
        ([{"frequency_mhz": mhz} for mhz in (1800, 900, 1800, 900, 1800)], None, ""),
        ([{"frequency_mhz": mhz} for mhz in (1800, 1650, 1650)], None, ""),
        ([{"throttle_count": 7}, {"throttle_count": 7}], None, ""),
        ([{"frequency_mhz": 1800}], None, ""),
        ([{"temperature_c": 90.0}, {}], None, ""),
        ([], None, ""),
    ],
)
def test_host_and_device_agree_on_when_and_what(told: Told, second: int | None, seen: str) -> None:
    readings = [Reading(index * SECOND, **each) for index, each in enumerate(told)]
    by_device, by_host = device_onset(readings), throttle_onset(as_sent(readings))
    if second is None:
        assert (by_device, by_host) == (None, None)
        return
    assert by_host is not None
    assert by_device is not None
    assert by_host.offset_ns == second * SECOND
    assert seen in by_host.seen
    what, _, heat = by_host.seen.partition(", at ")
    assert by_device.startswith(f"{what} from {second:.2f} s into measuring on")
    assert heat in by_device


def test_flags_that_are_raised_one_after_the_other_begin_with_the_first() -> None:
    steps: tuple[tuple[str, ...], ...] = ((), ("throttled",), ("throttled", "under-voltage"))
    readings = [Reading(index * SECOND, flags=flags) for index, flags in enumerate(steps)]
    assert throttle_onset(as_sent(readings)) == Onset(SECOND, "throttled")


def test_heat_alone_does_not_tell() -> None:
    heat = as_sent([Reading(0, temperature_c=90.0)])
    assert not can_tell(heat)
    assert can_tell(as_sent([Reading(0, frequency_mhz=1800.0)]))
