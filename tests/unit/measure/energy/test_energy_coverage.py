"""The uncertainty holds the exact energy as often as it says: benchmarks/energy_coverage.py, in
small, and the tables of docs/energy.md."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import energy_coverage
import numpy as np
import pytest
from energy_coverage import (
    ASKED,
    AVERAGED,
    CASES,
    COUNTER,
    FAST,
    LOADS,
    SENSORS,
    SLOW,
    Coverage,
    Sensor,
    coverage,
    draw_of,
    simulate,
)
from trimtab.measure.energy.integrate import integrate
from trimtab.records import SensorKind

RUNS = 300
LOWEST = 0.915  # 95 % at least: less than three standard errors of 300 trials below
DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "energy.md"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sensor", "load", "duration_s"), CASES, ids=lambda each: getattr(each, "name", each)
)
def test_the_uncertainty_holds_the_exact_energy_in_95_of_100_trials(
    sensor: Sensor, load: str, duration_s: float
) -> None:
    assert coverage(sensor, draw_of(load), duration_s, RUNS, seed=11).covered >= LOWEST


@pytest.mark.parametrize("sensor", SENSORS, ids=lambda each: each.name)
def test_over_all_loads_it_does_so_for_each_sensor(sensor: Sensor) -> None:
    cases = [case for case in CASES if case[0] is sensor]
    found = [coverage(sensor, draw_of(load), for_s, 100, seed=12) for _, load, for_s in cases]
    assert sum(each.covered for each in found) / len(found) >= ASKED


@pytest.mark.parametrize("load", ["constant", "switching"])
def test_that_is_no_mere_generosity(load: str) -> None:
    """The half-width is within four times what 95 % of the errors stay below."""
    for sensor in SENSORS:
        found = coverage(sensor, draw_of(load), 10.0, 100, seed=5)
        assert found.half_width < 4 * found.error_95 + 0.0005


@pytest.mark.parametrize("noise", [0.0, 15.0, 60.0])
@pytest.mark.parametrize("kind", ["instantaneous", "averaged"])
def test_a_coarse_sensor_s_step_is_part_of_it(kind: SensorKind, noise: float) -> None:
    """A steady load that a sensor rounds to 100 mW is off by the same all the time."""
    coarse = Sensor("coarse", kind, 0.1, 0.02, step=100.0, noise=noise)
    found = coverage(coarse, draw_of("constant"), 10.0, 100, seed=5)
    assert found.covered >= ASKED
    assert found.half_width < 0.03


@pytest.mark.parametrize("told", [0.0, 3.0], ids=["not told", "told three times too long"])
@pytest.mark.parametrize("sensor", [SLOW, AVERAGED, COUNTER], ids=lambda each: each.name)
def test_a_period_that_is_wrong_or_missing_is_seen_from_the_readings(
    sensor: Sensor, told: float
) -> None:
    info = replace(sensor.info, sample_period_ns=round(told * sensor.period_s * 1e9))
    held = 0
    for seed in range(RUNS):
        trial = simulate(sensor, draw_of("switching"), 10.0, seed)
        found = integrate(info, trial.series, trial.windows[1]).energy
        held += abs(found.value - trial.exact_mj) <= found.half_width
    assert held / RUNS >= LOWEST


def test_a_load_in_step_with_a_sensor_that_samples_at_a_fixed_period_is_beyond_it() -> None:
    """The limit that docs/energy.md tells of."""
    aliased = draw_of(energy_coverage.ALIASED)
    assert coverage(SLOW, aliased, 10.0, 50, seed=5).covered < 0.5
    assert coverage(FAST, aliased, 10.0, 50, seed=5).covered >= ASKED


@pytest.mark.parametrize("load", LOADS)
def test_the_simulated_energy_is_the_integral_of_the_simulated_power(load: str) -> None:
    drawn = draw_of(load)(np.random.default_rng(3), 10.0)
    times = np.linspace(0.0, 10.0, 2_000_001)
    sums = np.concatenate(([0.0], np.cumsum(drawn.power(times[:-1]) * np.diff(times))))
    for at in (0.0, 1.234, 10.0):
        exact = float(drawn.energy(np.array([at]))[0])
        assert exact == pytest.approx(float(np.interp(at, times, sums)), rel=0.001, abs=0.5)


def test_the_documented_table_has_every_case_and_holds_what_is_asked_for() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    table = next(part for part in text.split("\n\n") if part.startswith("| sensor | load | sec"))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert [tuple(row[:3]) for row in rows] == [
        (sensor.name, load, f"{duration_s:g}") for sensor, load, duration_s in CASES
    ]
    for row in rows:
        assert float(row[3].removesuffix(" %")) >= 100 * ASKED


def test_coverage_counts_trials() -> None:
    found = coverage(COUNTER, draw_of("constant"), 2.0, 3, seed=1)
    assert found == Coverage(1.0, found.error_95, found.half_width)
