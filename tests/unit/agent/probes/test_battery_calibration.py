"""Unit and sign of a battery's current, decided by its charge counter, or refused."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from trimtab_agent.probes.battery_calibration import (
    BatteryReading,
    Calibration,
    CalibrationError,
    calibrate,
    collect,
    load_calibration,
    save_calibration,
)


def discharge(
    current: float,
    microamperes: float,
    charge_unit_uah: float = 1.0,
    voltage: float = 4.1e6,
    step_uah: float = 1000.0,
) -> list[BatteryReading]:
    """Ten minutes at a steady ``microamperes`` that the device tells as ``current``."""
    start_uah = 3_000_000.0
    readings = []
    for time_s in range(0, 601, 10):
        lost = microamperes * time_s / 3600
        told = (start_uah - lost) // step_uah * step_uah
        reading = BatteryReading(
            time_s, "Discharging", current, told / charge_unit_uah, voltage, 75.0
        )
        readings.append(reading)
    return readings


@pytest.mark.parametrize(
    ("current", "unit", "sign"),
    [
        (-450_000, "uA", -1),
        (450_000, "uA", 1),
        (-450, "mA", -1),
        (450, "mA", 1),
    ],
)
def test_the_counter_decides_unit_and_sign(current: float, unit: str, sign: int) -> None:
    found = calibrate(discharge(current, 450_000))
    assert found == Calibration(unit, sign, 1.0)
    assert found.power_mw(current, 4.1e6) == pytest.approx(1845.0)


@pytest.mark.parametrize("charge_unit_uah", [1.0, 1000.0])
@pytest.mark.parametrize(("voltage", "microvolts"), [(4.1e6, 1.0), (4100.0, 1000.0), (4.1, 1e6)])
def test_the_counters_and_the_voltages_own_units_are_found(
    charge_unit_uah: float, voltage: float, microvolts: float
) -> None:
    found = calibrate(discharge(-450, 450_000, charge_unit_uah, voltage))
    assert found == Calibration("mA", -1, microvolts)


def test_a_coarse_counter_is_enough_once_it_has_moved() -> None:
    assert calibrate(discharge(-450, 450_000, step_uah=20_000)).current_unit == "mA"


def test_a_current_that_means_charging_is_negative_power() -> None:
    assert Calibration("uA", -1, 1.0).power_mw(450_000, 4.1e6) < 0


def refused(readings: list[BatteryReading]) -> str:
    with pytest.raises(CalibrationError) as caught:
        calibrate(readings)
    return str(caught.value)


def test_what_decides_nothing_is_refused_with_the_reason() -> None:
    good = discharge(-450_000, 450_000)
    assert "fewer than two readings" in refused(good[:1])
    assert "unplug the device" in refused([*good[:-1], replace(good[-1], status="Charging")])
    assert "moved 0 times" in refused([replace(each, charge=3e6) for each in good])
    assert "went up" in refused(list(reversed_charge(good)))
    assert "charge counter is not told" in refused([replace(each, charge=None) for each in good])
    assert "current is not told" in refused([*good[:-1], replace(good[-1], current=None)])
    assert "changed its sign" in refused([*good[:-1], replace(good[-1], current=1.0)])
    assert "told as 0" in refused([replace(each, current=0) for each in good])
    assert "in percent is not told" in refused([replace(each, capacity=None) for each in good])
    assert "neither in µAh nor in mAh" in refused(
        [replace(each, charge=(each.charge or 0) / 1e6) for each in good]
    )
    assert "plausible neither in µV" in refused([replace(each, voltage=0.1) for each in good])


def reversed_charge(readings: list[BatteryReading]) -> list[BatteryReading]:
    charges = [each.charge for each in reversed(readings)]
    return [replace(each, charge=charge) for each, charge in zip(readings, charges, strict=True)]


@pytest.mark.parametrize("current", [-4_500_000.0, -45_000.0, -4500.0, -1.0])
def test_a_current_that_fits_neither_unit_is_refused(current: float) -> None:
    assert "neither 1 (µA) nor 1000 (mA)" in refused(discharge(current, 450_000))


def test_readings_are_collected_for_as_long_as_asked() -> None:
    times = count(0.0, 5.0)
    slept: list[float] = []
    readings = collect(
        lambda: BatteryReading(next(times), "Discharging", -1, 1, 1, 1), 20.0, 5.0, slept.append
    )
    assert [each.time_s for each in readings] == [0, 5, 10, 15, 20]
    assert slept == [5.0] * 4


STORE = "var/lib/trimtab-agent/battery-calibration.json"


def test_it_is_kept_beside_those_of_other_batteries(tmp_path: Path) -> None:
    first, second = Calibration("mA", 1, 1.0), Calibration("uA", -1, 1000.0)
    save_calibration(tmp_path / STORE, "power_supply/battery", first)
    save_calibration(tmp_path / STORE, "termux/battery", second)
    assert load_calibration(tmp_path, "power_supply/battery") == first
    assert load_calibration(tmp_path, "termux/battery") == second
    assert load_calibration(tmp_path, "power_supply/BAT1") is None
    assert [path.name for path in (tmp_path / STORE).parent.iterdir()] == [Path(STORE).name]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"b": 5}',
        '{"b": {"unit": "mA"}}',
        '{"b": {"current_unit": "A", "discharge_sign": 1, "microvolts": 1.0}}',
        '{"b": {"current_unit": "mA", "discharge_sign": 0, "microvolts": 1.0}}',
        '{"b": {"current_unit": ["mA"], "discharge_sign": 1, "microvolts": 1.0}}',
    ],
)
def test_a_broken_file_is_no_calibration(tmp_path: Path, text: str) -> None:
    (tmp_path / STORE).parent.mkdir(parents=True)
    (tmp_path / STORE).write_text(text)
    assert load_calibration(tmp_path, "b") is None
