"""From repeats with sensors to an arm's figures and checks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from trimtab.measure.energy import energy_checks, energy_figures, measured_energy
from trimtab.measure.energy.over_repeats import arithmetic, geometric
from trimtab.measure.energy.uncertain import Uncertain
from trimtab.measure.stats import log_t_interval
from trimtab.measure.summarize import build_result, summarize
from trimtab.records import (
    Artifact,
    Check,
    DeviceRef,
    MeasurementSettings,
    Metric,
    RawArm,
    RawRepeat,
    SensorInfo,
    SensorSeries,
)

SETTINGS = MeasurementSettings("onnxruntime")
MakeRepeat = Callable[..., RawRepeat]
MakeArm = Callable[..., RawArm]
TOTAL = SensorInfo("vdd_in", "mW", "all", "", "instantaneous", "total", 10_000_000)


def figures(raw: RawArm, **settings: Any) -> dict[str, Metric]:
    return energy_figures(raw, replace(SETTINGS, **settings))


def inside(metric: Metric, truth: float) -> bool:
    assert metric.ci95 is not None
    return metric.ci95[0] <= truth <= metric.ci95[1]


def named(checks: Sequence[Check]) -> dict[str, Check]:
    return {each.name: each for each in checks}


def test_energy_of_an_inference_gross_and_above_idle_and_the_powers(make_arm: MakeArm) -> None:
    found = figures(make_arm())
    for name, truth in (
        ("energy_mj", 50.0),  # 5 W for 10 s, 1000 inferences
        ("energy_net_mj", 30.0),
        ("power_mean_w", 5.0),
        ("power_idle_w", 2.0),
    ):
        assert found[name].value == pytest.approx(truth, rel=0.001), name
        assert found[name].provenance == "measured"
        assert inside(found[name], truth)
    assert (found["energy_mj"].unit, found["power_idle_w"].unit) == ("mJ", "W")


def test_an_inference_of_a_batch_has_the_energy_of_the_batch_as_its_latency_has(
    make_arm: MakeArm,
) -> None:
    assert figures(make_arm(), batch_size=8)["energy_mj"].value == pytest.approx(50, rel=0.001)


def test_repeats_that_differ_widen_the_interval_as_a_latency_s(
    make_arm: MakeArm, make_repeat: MakeRepeat
) -> None:
    powers = (4900.0, 5000.0, 5150.0)
    raw = make_arm(*(make_repeat(i, busy_mw=each) for i, each in enumerate(powers)))
    metric = figures(raw)["power_mean_w"]
    plain = log_t_interval([each / 1000 for each in powers])
    assert plain is not None
    assert metric.ci95 is not None
    assert metric.ci95 == pytest.approx(plain, rel=0.002)


def test_one_repeat_has_its_own_uncertainty_and_says_so(
    make_arm: MakeArm, make_repeat: MakeRepeat
) -> None:
    raw = make_arm(make_repeat())
    metric = figures(raw)["energy_mj"]
    assert inside(metric, 50.0)
    (repeat,) = measured_energy(raw).repeats
    assert metric.ci95 is not None
    assert math.log(metric.ci95[1] / metric.ci95[0]) / 2 == pytest.approx(
        repeat.gross.half_width / repeat.gross.value, rel=1e-6
    )
    check = named(energy_checks(raw))["ENERGY_INTERVAL"]
    assert (check.outcome, check.invalidates) == ("unknown", False)
    assert "not of how the next would differ" in check.seen
    assert "ENERGY_INTERVAL" not in named(energy_checks(make_arm()))


def test_what_repeats_share_does_not_shrink_with_their_number() -> None:
    apart = [Uncertain(10.0, error=1.0)] * 16
    shared = [Uncertain(10.0, shared=1.0)] * 16
    assert arithmetic(apart)[1] == pytest.approx((9.5, 10.5), abs=0.001)
    assert arithmetic(shared)[1] == pytest.approx((8.0, 12.0), abs=0.001)
    assert geometric(shared)[1] == pytest.approx((10 * math.exp(-0.2), 10 * math.exp(0.2)), 1e-4)


def test_figures_at_zero_or_below_have_a_plain_mean() -> None:
    assert geometric([Uncertain(0.0), Uncertain(2.0)])[0] == 1.0
    assert arithmetic([Uncertain(-1.0), Uncertain(2.0)])[0] == 0.5


def test_an_energy_below_idle_is_told_as_it_is(make_arm: MakeArm, make_repeat: MakeRepeat) -> None:
    raw = make_arm(make_repeat(busy_mw=1990.0), make_repeat(1, busy_mw=1990.0))
    net = figures(raw)["energy_net_mj"]
    assert net.value == pytest.approx(-0.1, abs=0.02)


def test_an_idle_power_that_moved_widens_the_net_and_warns(
    make_arm: MakeArm, make_repeat: MakeRepeat
) -> None:
    steady, moved = (
        make_arm(*(make_repeat(i, after_mw=after) for i in range(3))) for after in (2000.0, 2600.0)
    )
    still, wide = figures(steady)["energy_net_mj"], figures(moved)["energy_net_mj"]
    assert wide.value == pytest.approx(50.0 - 23.0, rel=0.001)
    assert still.ci95 is not None
    assert wide.ci95 is not None
    assert wide.ci95[1] - wide.ci95[0] > 10 * (still.ci95[1] - still.ci95[0])
    assert named(energy_checks(steady))["IDLE_STEADY"].outcome == "passed"
    check = named(energy_checks(moved))["IDLE_STEADY"]
    assert (check.outcome, check.invalidates) == ("failed", False)
    assert check.seen == "idle power before and after 26.1% apart (limit 10%)"


@pytest.mark.parametrize(
    ("phases", "missing"),
    [
        (("before", "measure"), "only before measuring; after it: the device did not stay idle"),
        (("measure", "after"), "only after measuring; before it: the device did not stay idle"),
    ],
)
def test_one_idle_window_alone_says_so(
    make_arm: MakeArm, make_repeat: MakeRepeat, phases: Sequence[str], missing: str
) -> None:
    raw = make_arm(*(make_repeat(i, phases=phases, after_mw=2000.0) for i in range(3)))
    assert figures(raw)["energy_net_mj"].value == pytest.approx(30.0, rel=0.001)
    check = named(energy_checks(raw))["IDLE_STEADY"]
    assert check.outcome == "unknown"
    assert check.seen == f"idle power known {missing}"


def test_without_an_idle_window_the_net_is_absent_and_the_gross_is_there(
    make_arm: MakeArm, make_repeat: MakeRepeat
) -> None:
    raw = make_arm(make_repeat(phases=("measure",)), make_repeat(1))
    found = figures(raw)
    assert found["energy_mj"].value == pytest.approx(50.0, rel=0.001)
    for name in ("energy_net_mj", "power_idle_w"):
        assert found[name].value is None
        assert "no idle power: before measuring the device did not" in str(found[name].reason)
    assert "IDLE_STEADY" not in named(energy_checks(raw))


def with_power(repeat: RawRepeat, levels: Any, hold_s: float = 0.01) -> RawRepeat:
    """``levels``: of a time, in mW; what is told stays for ``hold_s``."""
    times = repeat.sensors["vdd_in"].offset_ns / 1e9
    held = np.array([levels(at) for at in np.floor(times / hold_s) * hold_s])
    series = SensorSeries(repeat.sensors["vdd_in"].offset_ns, held)
    return replace(repeat, sensors={"vdd_in": series})


@pytest.mark.parametrize(("hold_s", "lag_s"), [(0.01, 0.15), (0.3, 0.55)])
def test_the_begin_of_an_idle_window_is_left_out(
    make_arm: MakeArm, make_repeat: MakeRepeat, hold_s: float, lag_s: float
) -> None:
    """The load goes on a little, or the sensor is late."""
    noise = np.random.default_rng(2)

    def levels(at: float) -> float:
        level = 5000.0 if 2.0 <= at < 13.0 + lag_s else 2000.0
        return level + float(noise.integers(-5, 5)) if hold_s < 0.1 else level + at

    raw = make_arm(
        with_power(make_repeat(), levels, hold_s),
        sensors=[replace(TOTAL, sample_period_ns=round(hold_s * 1e9))],
    )
    assert figures(raw)["power_idle_w"].value == pytest.approx(2.0, rel=0.006)


def test_an_idle_device_may_be_steadier_than_a_busy_one(
    make_arm: MakeArm, make_repeat: MakeRepeat
) -> None:
    noise = np.random.default_rng(2)

    def levels(at: float) -> float:
        return 5000.0 + float(noise.integers(-50, 50)) if 2.0 <= at < 13.0 else 2000.0

    raw = make_arm(with_power(make_repeat(), levels))
    assert figures(raw)["power_idle_w"].value == pytest.approx(2.0)


@pytest.mark.parametrize("within", [0, 1, 2])
def test_hardly_a_reading_in_an_idle_window_leaves_no_idle_power_or_a_wide_one(
    make_arm: MakeArm, make_repeat: MakeRepeat, within: int
) -> None:
    repeat = make_repeat(phases=("before", "measure"))
    series = repeat.sensors["vdd_in"]
    times = series.offset_ns / 1e9
    kept = np.zeros(len(times), dtype=np.bool_)
    kept[:3] = True
    kept[np.searchsorted(times, np.linspace(0.5, 1.5, 2)[:within])] = True
    kept[np.searchsorted(times, np.arange(2.1, 14.0, 0.8))] = True
    told = SensorSeries(series.offset_ns[kept], series.values[kept])
    found = figures(make_arm(replace(repeat, sensors={"vdd_in": told})))
    assert found["energy_mj"].value == pytest.approx(50.0, rel=0.01)
    if within < 2:
        assert "no idle power: before measuring vdd_in" in str(found["power_idle_w"].reason)
    else:
        assert found["power_idle_w"].value == pytest.approx(2.0, rel=0.05)


def slow_readings(series: SensorSeries, every: int) -> SensorSeries:
    return SensorSeries(series.offset_ns[::every], series.values[::every])


def test_too_few_updates_void_the_energy_and_not_the_latency(
    make_arm: MakeArm, make_repeat: MakeRepeat, make_artifact: Callable[..., Artifact]
) -> None:
    whole = [make_repeat(index) for index in range(3)]
    few = [
        replace(each, sensors={"vdd_in": slow_readings(each.sensors["vdd_in"], 125)})
        for each in whole
    ]
    slow = replace(TOTAL, sample_period_ns=1_250_000_000)
    result = build_result(
        make_arm(*few, sensors=[slow]), make_artifact(), SETTINGS, DeviceRef("pi", "id")
    )
    check = named(result.checks)["ENERGY_UPDATES"]
    assert (check.outcome, check.invalidates) == ("failed", True)
    assert "8 updates while measuring, in the repeat with fewest (limit 10)" in check.seen
    for name in ("energy_mj", "power_mean_w"):
        assert result.metrics[name].value is not None
        assert not result.metrics[name].valid
        assert "ENERGY_UPDATES: 8 updates" in str(result.metrics[name].reason)
    assert result.metrics["latency_p50_ms"].valid
    assert result.valid


def test_enough_updates_pass_and_say_what_the_number_covers(make_arm: MakeArm) -> None:
    check = named(energy_checks(make_arm()))["ENERGY_UPDATES"]
    assert check.outcome == "passed"
    assert check.seen.endswith("(limit 10); covers vdd_in: all")


def test_a_sensor_that_never_changed_warns(make_arm: MakeArm, make_repeat: MakeRepeat) -> None:
    series = make_repeat().sensors["vdd_in"]
    flat = SensorSeries(series.offset_ns, np.full_like(series.values, 3000.0))
    raw = make_arm(make_repeat(sensors={"vdd_in": flat}))
    assert figures(raw)["power_mean_w"].value == pytest.approx(3.0)
    assert named(energy_checks(raw))["ENERGY_UPDATES"].outcome == "unknown"


def test_no_sensor_keeps_the_device_s_own_reason(
    make_arm: MakeArm, make_artifact: Callable[..., Artifact]
) -> None:
    told = {"energy_mj": "no power sensor found (looked for hwmon)"}
    found = summarize(make_arm(sensors=[], unavailable=told), make_artifact(), SETTINGS)
    for name in ("energy_mj", "energy_net_mj", "power_mean_w", "power_idle_w"):
        assert found[name].reason == told["energy_mj"]
    silent = figures(make_arm(sensors=[]))
    assert silent["energy_mj"].reason == "the device reported no energy"
    assert energy_checks(make_arm(sensors=[])) == ()


def test_one_repeat_without_an_energy_leaves_the_arm_without(
    make_arm: MakeArm, make_repeat: MakeRepeat
) -> None:
    raw = make_arm(make_repeat(), make_repeat(1, sensors={}))
    assert figures(raw)["energy_mj"].reason == "repeat 2: vdd_in: nothing was read"
    uncounted = make_arm(make_repeat(phases=("before", "after")))
    assert "did not tell from when to when" in str(figures(uncounted)["energy_mj"].reason)
    read = make_repeat().sensors["vdd_in"]
    off = SensorSeries(read.offset_ns, np.zeros_like(read.values))
    reason = figures(make_arm(make_repeat(sensors={"vdd_in": off})))["energy_mj"].reason
    assert reason == "repeat 1: the sensors told 0 W while the device measured"


def test_a_failed_sensor_is_told_by_its_own_reason(make_arm: MakeArm) -> None:
    failed = replace(TOTAL, unavailable_reason="repeat 2: cannot be read (EIO)")
    reason = figures(make_arm(sensors=[failed]))["energy_mj"].reason
    assert reason == "vdd_in: repeat 2: cannot be read (EIO)"
