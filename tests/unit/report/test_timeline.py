"""What a device did meanwhile, as lines over the samples' own clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from trimtab.records import RawArm, Result, Run, SensorInfo, SensorSeries, Window
from trimtab.report.html import render_report
from trimtab.report.timeline import timeline_of, watts

SECOND = 10**9
INPUT = SensorInfo("hwmon/hwmon0/power1_input", "mW", "VDD_IN", "", "instantaneous", "total")
GPU = SensorInfo("hwmon/hwmon0/power2_input", "mW", "VDD_GPU", "", "instantaneous", "part")


@pytest.fixture
def measured(
    make_raw_arm: Callable[..., RawArm], make_result: Callable[..., Result]
) -> Callable[..., Result]:
    def make(**sensors: SensorSeries) -> Result:
        raw = make_raw_arm(((1000,) * 500, (1200,) * 3))
        told = {**sensors}
        if "power" in told:
            told[INPUT.name] = told[GPU.name] = told.pop("power")
        windows = (Window("idle", 0, SECOND // 4), Window("measure", SECOND // 4, SECOND, 500))
        first = replace(raw.repeats[0], sensors=told, windows=windows)
        raw = replace(raw, repeats=(first, *raw.repeats[1:]), sensors=(INPUT, GPU))
        return make_result("float", raw=raw, latency_p50_ms=1.0)

    return make


def series(*values: float) -> SensorSeries:
    return SensorSeries(np.arange(len(values)) * SECOND // 10, np.array(values))


def test_power_of_the_whole_device_stands_below_the_latencies(
    measured: Callable[..., Result],
) -> None:
    found = timeline_of(measured(power=series(2000, 5000, 5100), temperature_c=series(40, 41)))
    assert found is not None
    assert [(line.name, line.unit) for line in found.sensors] == [
        ("VDD_IN", "W"),
        ("temperature_c", "°C"),
    ], "a part of it is not drawn as if it were the device"
    assert found.sensors[0].values[:3].tolist() == [2.0, 5.0, 5.1]
    assert [(each.phase, each.begin_s, each.end_s) for each in found.spans] == [
        ("idle", 0.0, 0.25),
        ("measure", 0.25, 1.0),
    ]


def test_many_samples_are_thinned_and_repeats_are_not_joined(
    measured: Callable[..., Result],
) -> None:
    found = timeline_of(measured(power=series(2000, 5000)))
    assert found is not None
    assert len(found.latency.values) == 240 + 1 + 3 + 1
    assert np.isnan(found.latency.values[[240, 244]]).all()


def test_a_counter_is_drawn_as_power_and_its_wrap_is_no_fall() -> None:
    info = SensorInfo("rapl/package-0", "mJ", "package", "", "counter", "addend", 0, 1000.0)
    at, power = watts(info, series(600, 900, 200, 500))
    assert power.tolist() == pytest.approx([3.0, 3.0, 3.0])
    assert at.tolist() == [0.05e9, 0.15e9, 0.25e9]


def test_where_nothing_was_told_there_is_nothing_to_draw(measured: Callable[..., Result]) -> None:
    assert timeline_of(measured()) is None
    assert timeline_of(measured(runnable_threads=series(1, 2))) is None


def test_the_page_shows_it(measured: Callable[..., Result]) -> None:
    def page(result: Result) -> str:
        return render_report(Run("id-1", "n", "2026-01-01T00:00:00+00:00", (), (result,)))

    text = page(measured(power=series(2000, 5000)))
    assert "What the devices did meanwhile" in text
    assert 'id="timeline-1"' in text
    assert "What the devices did meanwhile" not in page(measured())
