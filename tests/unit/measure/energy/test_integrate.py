"""Loads whose energy is known, through sensors of every kind; and what cannot be integrated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from energy_coverage import IDLE_MW, Load, Sensor, Trial, measured, observe
from trimtab.measure.energy.errors import NoEnergy
from trimtab.measure.energy.integrate import integrate
from trimtab.records import SensorKind, SensorSeries, Window

INSTANT = Sensor("vdd", "instantaneous", reading_s=0.010, noise=10.0, step=2.0)
SLOW = Sensor("vdd", "instantaneous", 0.050, 0.010, noise=10.0, step=2.0)
AVERAGED = Sensor("vdd", "averaged", 0.050, 0.010, noise=2.0, step=2.0)
COUNTER = Sensor("package", "counter", 0.001, 0.010, step=0.061)
ALL = (INSTANT, SLOW, AVERAGED, COUNTER)
SECOND = 10**9


def pulses(period_s: float, share: float, level: float = 4000.0) -> Load:
    def energy(t: Any) -> Any:
        whole, part = np.divmod(t, period_s)
        return level * (whole * share * period_s + np.minimum(part, share * period_s))

    return Load(lambda t: np.where(t % period_s < share * period_s, level, 0.0), energy)


CONSTANT = Load(lambda t: np.full_like(t, 4000.0), lambda t: 4000.0 * t)
RAMP = Load(lambda t: 1000.0 + 300.0 * t, lambda t: 1000.0 * t + 150.0 * t * t)


def seen(sensor: Sensor, load: Load, duration_s: float = 10.0, seed: int = 1) -> Trial:
    return observe(sensor, load, duration_s, np.random.default_rng(seed))


@pytest.mark.parametrize("sensor", ALL, ids=lambda each: f"{each.kind} {each.period_s}")
@pytest.mark.parametrize(
    "load",
    [CONSTANT, RAMP, pulses(1.0, 0.3), pulses(2.0, 0.05)],
    ids=["constant", "ramp", "square of 30 %", "spikes of 100 ms"],
)
def test_a_known_load_comes_out_to_one_percent(sensor: Sensor, load: Load) -> None:
    trial = seen(sensor, load, 20.0)
    found = measured(sensor, trial)
    assert found.energy.value == pytest.approx(trial.exact_mj, rel=0.01)
    assert abs(found.energy.value - trial.exact_mj) <= found.energy.half_width
    assert found.duration_s == pytest.approx(20.0)
    assert found.power_mw.value == pytest.approx(trial.exact_mj / 20.0, rel=0.01)


@pytest.mark.parametrize("sensor", [AVERAGED, COUNTER], ids=["averaged", "counter"])
def test_spikes_far_shorter_than_a_reading_are_not_lost_to_a_sensor_that_sums(
    sensor: Sensor,
) -> None:
    trial = seen(sensor, pulses(0.0313, 0.03, 20_000.0))
    found = measured(sensor, trial).energy
    assert found.value == pytest.approx(trial.exact_mj, rel=0.01)
    assert found.half_width < 0.01 * trial.exact_mj


def test_a_constant_that_never_changes_is_no_stall_and_known_to_be_constant() -> None:
    flat = Load(lambda t: np.zeros_like(t), lambda t: np.zeros_like(t))
    kinds: tuple[SensorKind, ...] = ("instantaneous", "averaged")
    for kind in kinds:
        sensor = Sensor("vdd", kind, 0.1, 0.02, step=1.0)
        trial = seen(sensor, flat)
        found = measured(sensor, trial)
        assert found.energy.value == pytest.approx(10 * IDLE_MW)
        assert not found.changed
        assert found.update_count == pytest.approx(100, abs=2)


def test_updates_are_counted_and_not_readings() -> None:
    for sensor, expected in ((INSTANT, 1000), (SLOW, 200), (AVERAGED, 200)):
        assert measured(sensor, seen(sensor, RAMP)).update_count == pytest.approx(expected, rel=0.1)
    untold = replace(SLOW.info, sample_period_ns=0)
    trial = seen(SLOW, RAMP)
    found = integrate(untold, trial.series, trial.windows[1])
    assert found.update_count == pytest.approx(200, rel=0.1)  # seen from its changes


def test_a_sensor_slower_than_the_run_has_next_to_no_updates() -> None:
    slow = Sensor("psu", "averaged", 5.0, 0.02)
    found = measured(slow, seen(slow, pulses(0.1, 0.5), 3.0))
    assert found.update_count <= 1
    held = Sensor("psu", "instantaneous", 5.0, 0.02, noise=10.0)
    with pytest.raises(NoEnergy, match=r"psu updated [01] times in the window"):
        measured(held, seen(held, CONSTANT, 3.0))


def test_a_period_that_is_not_told_and_not_seen_counts_what_was_seen() -> None:
    trial = seen(replace(SLOW, noise=0.0, step=0.0), CONSTANT)
    info = replace(SLOW.info, sample_period_ns=0)
    assert integrate(info, trial.series, trial.windows[1]).update_count <= 3


def test_readings_beyond_the_window_do_not_count() -> None:
    for sensor in ALL:
        exact = seen(sensor, CONSTANT).exact_mj
        trial = seen(sensor, CONSTANT)
        series, window = trial.series, trial.windows[1]
        wild = np.where(series.offset_ns > window.end_offset_ns + SECOND // 5, 9e5, series.values)
        if sensor.kind != "counter":
            found = integrate(sensor.info, SensorSeries(series.offset_ns, wild), window)
            assert found.energy.value == pytest.approx(exact, rel=0.01)


def stalled(trial: Trial, from_s: float, to_s: float = 1e9) -> Trial:
    """The sensor goes on to answer, with what it told last."""
    begin = trial.windows[1].begin_offset_ns
    times = (trial.series.offset_ns - begin) / SECOND
    last = trial.series.values[times < from_s][-1]
    values = np.where((times >= from_s) & (times < to_s), last, trial.series.values)
    return replace(trial, series=SensorSeries(trial.series.offset_ns, values))


@pytest.mark.parametrize("sensor", ALL, ids=lambda each: f"{each.kind} {each.period_s}")
@pytest.mark.parametrize(("from_s", "to_s"), [(4.0, 7.0), (6.0, 1e9), (-0.1, 1e9)])
def test_a_sensor_that_stalls_is_refused(sensor: Sensor, from_s: float, to_s: float) -> None:
    trial = stalled(seen(sensor, RAMP), from_s, to_s)
    with pytest.raises(NoEnergy, match=rf"{sensor.name} stalled: nothing new for .* into the"):
        measured(sensor, trial)


def test_a_steady_level_between_two_steps_of_a_coarse_sensor_is_no_stall() -> None:
    """One load lies half-way between two steps and flickers, the other one does not."""
    coarse = Sensor("vdd", "instantaneous", 0.02, 0.02, step=100.0, noise=15.0)
    trial = seen(coarse, Load(lambda t: np.full_like(t, 2550.0), lambda t: 2550.0 * t))
    told = trial.series.values[trial.series.offset_ns > trial.windows[1].begin_offset_ns][10:400]
    assert set(told) == {4000.0, 4100.0}
    assert measured(coarse, trial).energy.value == pytest.approx(trial.exact_mj, rel=0.01)
    steady = seen(coarse, Load(lambda t: np.full_like(t, 2500.0), lambda t: 2500.0 * t))
    assert measured(coarse, steady).energy.value == pytest.approx(steady.exact_mj, rel=0.01)


def test_a_flicker_by_one_step_elsewhere_makes_no_stall_of_a_steady_load() -> None:
    """Idle at 1.5 W flickers between 1 and 2, and 5 W are told the same all the time."""
    coarse = Sensor("vdd", "instantaneous", 0.02, 0.02, step=1000.0, noise=15.0)
    trial = seen(coarse, Load(lambda t: np.full_like(t, 3500.0), lambda t: 3500.0 * t))
    assert measured(coarse, trial).energy.value == pytest.approx(trial.exact_mj, rel=0.001)


@pytest.mark.parametrize("sensor", ALL, ids=lambda each: f"{each.kind} {each.period_s}")
def test_readings_that_leave_out_a_part_are_refused(sensor: Sensor) -> None:
    trial = seen(sensor, CONSTANT)
    times = (trial.series.offset_ns - trial.windows[1].begin_offset_ns) / SECOND
    parts = ((times < 6.0, "5.9"), (times > 3.0, "0 s"), ((times < 2) | (times > 5), "1.9"))
    for kept, at in parts:
        series = SensorSeries(trial.series.offset_ns[kept], trial.series.values[kept])
        with pytest.raises(NoEnergy, match=rf"was not read for .*, {at}.* into"):
            measured(sensor, replace(trial, series=series))
    outside = SensorSeries(trial.series.offset_ns[times < 0], trial.series.values[times < 0])
    with pytest.raises(NoEnergy, match="was not read within the window of 10 s"):
        measured(sensor, replace(trial, series=outside))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 1e12, -1e12])
def test_what_no_sensor_can_tell_is_refused(wrong: float) -> None:
    trial = seen(INSTANT, CONSTANT)
    values = trial.series.values.copy()
    values[500] = wrong
    with pytest.raises(NoEnergy, match="vdd told what cannot be"):
        measured(INSTANT, replace(trial, series=SensorSeries(trial.series.offset_ns, values)))


def test_negative_power_is_refused_and_noise_around_zero_is_not() -> None:
    trial = seen(INSTANT, CONSTANT)
    for factor, shift in ((-1.0, 0.0), (0.0, -50.0)):
        values = trial.series.values * factor + shift
        with pytest.raises(NoEnergy, match="negative power"):
            measured(INSTANT, replace(trial, series=SensorSeries(trial.series.offset_ns, values)))
    noise = np.random.default_rng(4).normal(0.0, 20.0, len(trial.series.values))
    around = replace(trial, series=SensorSeries(trial.series.offset_ns, noise))
    assert abs(measured(INSTANT, around).energy.value) < 20


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": None}, "a moment's power or a mean is not known"),
        ({"unit": "mJ"}, "is told to be instantaneous and in mJ"),
        ({"unavailable_reason": "EIO"}, "vdd: EIO"),
    ],
)
def test_a_sensor_that_is_not_understood_is_refused(changes: dict[str, Any], reason: str) -> None:
    trial = seen(INSTANT, CONSTANT)
    with pytest.raises(NoEnergy, match=reason):
        integrate(replace(INSTANT.info, **changes), trial.series, trial.windows[1])


def test_readings_out_of_order_few_of_them_and_an_empty_window_are_refused() -> None:
    trial = seen(INSTANT, CONSTANT)
    window, series = trial.windows[1], trial.series
    backwards = SensorSeries(series.offset_ns[::-1], series.values)
    with pytest.raises(NoEnergy, match="not in the order of their times"):
        integrate(INSTANT.info, backwards, window)
    with pytest.raises(NoEnergy, match="was read 1 times in all"):
        integrate(INSTANT.info, SensorSeries(series.offset_ns[:1], series.values[:1]), window)
    with pytest.raises(NoEnergy, match="no duration"):
        integrate(INSTANT.info, series, Window("measure", 5, 5, 1))


def test_averages_that_nobody_read_widen_the_uncertainty() -> None:
    trial = seen(AVERAGED, pulses(0.7, 0.5))
    times = (trial.series.offset_ns - trial.windows[1].begin_offset_ns) / SECOND
    kept = (times < 5.0) | (times > 5.3)
    series = SensorSeries(trial.series.offset_ns[kept], trial.series.values[kept])
    whole, holed = (measured(AVERAGED, replace(trial, series=s)) for s in (trial.series, series))
    assert holed.energy.half_width > 5 * whole.energy.half_width
    assert abs(holed.energy.value - trial.exact_mj) <= holed.energy.half_width


def test_a_step_that_shows_is_counted_and_does_not_shrink_with_more_readings() -> None:
    coarse = Sensor("vdd", "instantaneous", reading_s=0.01, noise=30.0, step=40.0)
    short, long = (measured(coarse, seen(coarse, CONSTANT, each)) for each in (5.0, 50.0))
    for found in (short, long):
        assert found.power_mw.shared == pytest.approx(40.0 / 12**0.5)
    assert long.power_mw.error < short.power_mw.error / 2
