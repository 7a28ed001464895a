"""What the user says of a device's power: a model where no sensor told, and a battery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from trimtab.measure.energy import energy_figures
from trimtab.measure.summarize import build_result
from trimtab.records import (
    Artifact,
    Check,
    DevicePower,
    DeviceRef,
    MeasurementSettings,
    Metric,
    PowerModel,
    RawArm,
    RawRepeat,
)

SETTINGS = MeasurementSettings("onnxruntime")
MODEL = PowerModel(idle_w=2.0, busy_core_w=1.5)
BUSY = {"busy_cores": "2.0,2.0,2.0"}
MakeRepeat = Callable[..., RawRepeat]
MakeArm = Callable[..., RawArm]


def figures(raw: RawArm, power: DevicePower | None, **settings: Any) -> Mapping[str, Metric]:
    return energy_figures(raw, replace(SETTINGS, **settings), power)


def test_a_model_estimates_where_no_sensor_told(make_arm: MakeArm) -> None:
    """2 W and two cores of 1.5 W for 10 ms an inference."""
    found = figures(make_arm(sensors=[], conditions=BUSY), DevicePower(model=MODEL))
    for name, value in (
        ("energy_mj", 50.0),
        ("energy_net_mj", 30.0),
        ("power_mean_w", 5.0),
        ("power_idle_w", 2.0),
    ):
        assert found[name].value == pytest.approx(value)
        assert found[name].provenance == "estimated"
        assert found[name].ci95 is None
        assert found[name].reason == "not measured: the device reported no energy"


def test_samples_tell_how_long_an_inference_took_where_no_window_does(
    make_arm: MakeArm, make_repeat: MakeRepeat
) -> None:
    repeats = [make_repeat(index, phases=()) for index in range(3)]
    raw = make_arm(*repeats, sensors=[], conditions=BUSY)
    assert figures(raw, DevicePower(model=MODEL))["energy_mj"].value == pytest.approx(50.0)
    one = replace(repeats[0], start_offset_ns=np.zeros(1, dtype=np.int64))
    raw = make_arm(one, sensors=[], conditions={"busy_cores": "2"})
    reason = figures(raw, DevicePower(model=MODEL))["energy_mj"].reason
    assert str(reason).endswith("no estimate either: repeat 1 has 1 timed inferences")


def test_a_sensor_comes_before_a_model(make_arm: MakeArm) -> None:
    power = DevicePower(model=PowerModel(100.0, 100.0))
    found = figures(make_arm(conditions=BUSY), power)["energy_mj"]
    assert found.provenance == "measured"
    assert found.value == pytest.approx(50.0, rel=0.001)


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        ({}, "the device did not tell how many of its cores were busy"),
        ({"busy_cores": "2,x,2"}, "how many cores were busy cannot be read: '2,x,2'"),
        ({"busy_cores": "2,2"}, "busy cores were told of 2 repeats, not of 3"),
        ({"busy_cores": "2,2,nan"}, "how many cores were busy cannot be: '2,2,nan'"),
        ({"busy_cores": "2,2,-1"}, "how many cores were busy cannot be: '2,2,-1'"),
    ],
)
def test_an_estimate_needs_the_busy_cores_of_every_repeat(
    make_arm: MakeArm, conditions: dict[str, str], reason: str
) -> None:
    raw = make_arm(sensors=[], conditions=conditions, unavailable={"energy_mj": "no sensor"})
    found = figures(raw, DevicePower(model=MODEL))["power_idle_w"]
    assert (found.value, found.reason) == (None, f"no sensor; no estimate either: {reason}")


def test_an_estimate_needs_a_repeat(make_arm: MakeArm) -> None:
    raw = replace(make_arm(sensors=[], conditions=BUSY), repeats=())
    found = figures(raw, DevicePower(model=MODEL))["energy_mj"]
    assert str(found.reason).endswith("no repeat was measured")


def test_a_battery_s_hours_at_a_rate_and_its_share_for_1000_inferences(make_arm: MakeArm) -> None:
    found = figures(make_arm(), DevicePower(battery_wh=10.0), rate_hz=100.0)
    hours, share = found["battery_hours"], found["battery_share_per_1k"]
    assert hours.value == pytest.approx(2.0, rel=0.001)  # 10 Wh at 5 W
    assert share.value == pytest.approx(50.0 / 36_000, rel=0.001)  # 50 J of 36 kJ
    assert (hours.unit, hours.provenance, share.unit, share.provenance) == (
        "h",
        "derived",
        "",
        "derived",
    )
    for metric, energy in ((hours, found["power_mean_w"]), (share, found["energy_mj"])):
        assert metric.ci95 is not None
        assert energy.ci95 is not None
        assert metric.value is not None
        assert metric.ci95[0] < metric.value < metric.ci95[1]
        width = energy.ci95[1] / energy.ci95[0]
        assert metric.ci95[1] / metric.ci95[0] == pytest.approx(width)


def test_hours_are_of_a_device_in_use_and_not_of_a_short_run_back_to_back(
    make_arm: MakeArm,
) -> None:
    power = DevicePower(battery_wh=10.0)
    hours = figures(make_arm(), power)["battery_hours"]
    assert hours.value is None
    assert "ask for --rate, or for --sustain" in str(hours.reason)
    assert figures(make_arm(), power)["battery_share_per_1k"].value is not None
    assert figures(make_arm(), power, sustain_s=600.0)["battery_hours"].value is not None


def test_without_a_battery_or_an_energy_both_are_absent_with_the_reason(make_arm: MakeArm) -> None:
    for power in (None, DevicePower()):
        found = figures(make_arm(), power, rate_hz=10.0)
        for name in ("battery_hours", "battery_share_per_1k"):
            assert found[name].reason == "the device's battery_wh is not given"
    found = figures(make_arm(sensors=[]), DevicePower(battery_wh=1.0), rate_hz=10.0)
    for name in ("battery_hours", "battery_share_per_1k"):
        assert found[name].reason == "the device reported no energy"


def test_a_battery_by_an_estimated_energy_is_estimated(make_arm: MakeArm) -> None:
    raw = make_arm(sensors=[], conditions=BUSY)
    found = figures(raw, DevicePower(10.0, MODEL), rate_hz=10.0)
    for name in ("battery_hours", "battery_share_per_1k"):
        assert (found[name].provenance, found[name].ci95) == ("estimated", None)
    assert found["battery_hours"].value == pytest.approx(2.0)


def test_results_carry_it_and_a_check_of_the_energy_voids_the_battery_too(
    make_arm: MakeArm, make_artifact: Callable[..., Artifact]
) -> None:
    settings = replace(SETTINGS, rate_hz=100.0)
    failed = Check("ENERGY_UPDATES", "failed", True, ("energy", "power", "battery"), "3 updates")
    device = DeviceRef("pi", "id")
    power = DevicePower(battery_wh=10.0)
    good, void = (
        build_result(
            replace(make_arm(), checks=checks), make_artifact(), settings, device, power=power
        )
        for checks in ((), (failed,))
    )
    for name in ("energy_mj", "power_idle_w", "battery_hours", "battery_share_per_1k"):
        assert good.metrics[name].valid
        assert not void.metrics[name].valid
