"""Counters: where they start from 0 again, and where that cannot be told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from energy_coverage import Load, Sensor, Trial, measured, observe
from trimtab.measure.energy.errors import NoEnergy
from trimtab.records import SensorSeries

CONSTANT = Load(lambda t: np.full_like(t, 4000.0), lambda t: 4000.0 * t)
COUNTER = Sensor("package", "counter", 0.001, 0.010, step=0.061)


def seen(sensor: Sensor, duration_s: float = 10.0) -> Trial:
    return observe(sensor, CONSTANT, duration_s, np.random.default_rng(2))


@pytest.mark.parametrize("counter_range", [7000.0, 30_000.0, 262_143.328])
def test_a_counter_that_wraps_goes_on(counter_range: float) -> None:
    sensor = replace(COUNTER, counter_range=counter_range)
    trial = seen(sensor)
    found = measured(sensor, trial)
    assert found.energy.value == pytest.approx(trial.exact_mj, rel=0.001)
    assert abs(found.energy.value - trial.exact_mj) <= found.energy.half_width
    assert found.update_count == pytest.approx(1000, rel=0.01)


def test_a_decrease_without_a_known_range_is_refused() -> None:
    trial = seen(replace(COUNTER, counter_range=7000.0))
    with pytest.raises(NoEnergy, match=r"went down by .* where it starts from 0 again is not told"):
        measured(COUNTER, trial)


@pytest.mark.parametrize("counter_range", [20.0, 45.0, 90.0])
def test_more_than_one_wrap_between_two_readings_is_refused(counter_range: float) -> None:
    """55 mJ between two readings usually, and up to 110."""
    sensor = replace(COUNTER, counter_range=counter_range)
    with pytest.raises(NoEnergy, match=r"may have started from 0 more than once|was reset"):
        measured(sensor, seen(sensor))


def test_a_reset_is_no_wrap() -> None:
    sensor = replace(COUNTER, counter_range=262_143.0)
    trial = seen(sensor)
    late = trial.series.offset_ns > trial.windows[1].begin_offset_ns + 5 * 10**9
    values = trial.series.values.copy()
    values[late] -= values[late][0]
    with pytest.raises(NoEnergy, match="it was reset"):
        measured(sensor, replace(trial, series=SensorSeries(trial.series.offset_ns, values)))


def test_a_value_beyond_the_range_is_refused() -> None:
    sensor = replace(COUNTER, counter_range=30_000.0)
    trial = seen(COUNTER)
    with pytest.raises(NoEnergy, match="beyond its own range 30000 mJ"):
        measured(sensor, trial)


def test_a_counter_that_does_not_move_is_refused() -> None:
    trial = seen(COUNTER)
    still = np.full_like(trial.series.values, 77.0)
    with pytest.raises(NoEnergy, match="package did not move: it told 77 mJ"):
        measured(COUNTER, replace(trial, series=SensorSeries(trial.series.offset_ns, still)))


def test_a_coarse_counter_is_exact_where_it_steps() -> None:
    """A joule a step, at 5.5 W: about five and a half updates a second."""
    coarse = replace(COUNTER, step=1000.0)
    trial = seen(coarse, 20.0)
    found = measured(coarse, trial)
    assert found.update_count == pytest.approx(110, abs=2)
    assert found.energy.value == pytest.approx(trial.exact_mj, rel=0.01)
    assert abs(found.energy.value - trial.exact_mj) <= found.energy.half_width
