"""Which readings are updates, how often a sensor updates, and in which steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from trimtab.measure.energy.complete import Spans, cut_error
from trimtab.measure.energy.readings import Readings, readings_of, updates
from trimtab.measure.energy.sampled import sampled_energy, successive_variance
from trimtab.records import SensorInfo, SensorSeries

MILLISECOND = 1_000_000


def readings(values: Any, every_ms: int = 10, period_ms: int = 0, unit: str = "mW") -> Readings:
    told = np.asarray(values, dtype=np.float64)
    kind: Any = "counter" if unit == "mJ" else "instantaneous"
    info = SensorInfo("x", unit, "", "", kind, "total", period_ms * MILLISECOND)
    offsets = np.arange(len(told), dtype=np.int64) * every_ms * MILLISECOND
    return readings_of(info, SensorSeries(offsets, told), 0)


def test_equal_values_within_a_period_are_one_update() -> None:
    told = readings([5, 5, 5, 7, 7, 7, 6, 6, 6], period_ms=30)
    assert updates(told).value.tolist() == [5, 7, 6]
    assert updates(told).time_s.tolist() == pytest.approx([-0.005, 0.025, 0.055], abs=0.011)


def test_equal_values_for_longer_than_a_period_are_several() -> None:
    told = readings([5, 5, 5, 7, 7, 7, 7, 7, 7, 6, 6, 6], period_ms=30)
    assert updates(told).value.tolist() == [5, 7, 7, 6]


def test_no_more_updates_than_readings() -> None:
    assert len(updates(readings([5] * 20, period_ms=1)).value) == 20
    assert len(updates(readings([5] * 20)).value) == 20


@pytest.mark.parametrize(("told_ms", "expected"), [(0, 0.05), (50, 0.05), (150, 0.05), (40, 0.04)])
def test_a_period_is_seen_unless_a_shorter_one_is_told(told_ms: int, expected: float) -> None:
    values = np.repeat(np.random.default_rng(1).permutation(100), 5)
    assert readings(values, period_ms=told_ms).period_s == pytest.approx(expected, rel=0.02)


def test_values_that_come_again_do_not_lengthen_the_period() -> None:
    values = np.repeat(np.random.default_rng(1).integers(0, 2, 400), 5)
    assert readings(values).period_s == pytest.approx(0.05, rel=0.02)


def test_a_sensor_that_is_new_at_every_reading_or_hardly_ever_has_no_period() -> None:
    assert readings(range(100)).period_s == 0
    assert readings([5] * 50 + [6] * 50).period_s == 0


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([1000, 1040, 1120], 40.0),
        ([0.5, 0.75, 2.0], 0.25),
        ([1000, 1000], 0.0),
        ([1000, 4200], 200.0),  # 10, 20 or 40 as well may be
        ([1.0, 1.0 + 1e-9], 0.0),
        ([3.14159265, 2.71828182, 1.41421356], 1e-6),
    ],
)
def test_the_step_is_the_largest_that_all_values_are_multiples_of(values: Any, step: float) -> None:
    assert readings(values).step == pytest.approx(step, abs=1e-5)


def test_a_counter_s_step_is_that_of_its_growth() -> None:
    assert readings([7.3, 17.3, 47.3], unit="mJ").step == pytest.approx(10.0)


def test_the_variance_of_independent_values_is_theirs() -> None:
    values = np.random.default_rng(3).normal(10.0, 2.0, 20_000)
    variance, degrees = successive_variance(values)
    assert variance == pytest.approx(4.0, rel=0.05)
    assert degrees == pytest.approx(20_000 * 2 / 3, rel=0.1)


def test_one_more_excursion_is_counted_and_degrees_are_limited() -> None:
    """Differences of 1 and 1, and a range of 1: (1 + 1 + 1) / (2 * 2); no spread of the squares."""
    assert successive_variance(np.array([0.0, 1.0, 0.0])) == pytest.approx((0.75, 4 / 3))


def test_peaks_that_hold_the_energy_leave_few_degrees_of_freedom() -> None:
    values = np.zeros(1000)
    values[[100, 400, 700]] = 50.0
    assert successive_variance(values)[1] == pytest.approx(6, abs=3)
    assert successive_variance(np.full(10, 3.0))[0] == 0.0


def test_an_update_stands_for_what_is_nearer_to_it_than_to_another() -> None:
    told = Readings(np.array([-1.0, 1.0, 4.0, 9.0, 11.0]), np.array([9.0, 1, 2, 4, 9]), 0.0, 0.0)
    energy, count = sampled_energy("x", updates(told), 0.0, 10.0, 0.0)
    assert count == 3
    assert energy.value == pytest.approx(1 * 2.5 + 2 * 4.0 + 4 * 3.5)


def test_a_cut_span_is_as_uncertain_as_its_neighbours_or_the_spans_around_differ() -> None:
    def error(power: list[float], at_s: float) -> float:
        count = len(power)
        bounds = np.linspace(0.0, 0.1 * count, count + 1)
        spans = Spans(bounds, np.array(power), np.zeros(count + 1), np.full(count, 0.1))
        return cut_error(spans, at_s)

    peak = [1.0, 1, 1, 1, 9, 1, 1, 1, 1]
    assert error(peak, 0.45) == pytest.approx(0.1 * 8 / 2)
    assert error(peak, 0.4) == pytest.approx(0.0, abs=1e-6)
    assert error(peak, 0.15) == 0.0
    restless = [1.0, 5, 1, 5, 3, 3, 3, 5, 1, 5, 1]
    assert error(restless, 0.55) == pytest.approx(0.1 * 4 / (0.67449 * 2**0.5) / 2, rel=1e-3)
