"""Batteries: what a discharging one tells, and why the others are no meter of the device."""

from collections.abc import Callable
from pathlib import Path

import pytest
from trimtab_agent.probes.base import Sensor, SensorError
from trimtab_agent.probes.battery_calibration import Calibration, save_calibration
from trimtab_agent.probes.power_supply import PowerSupplyProbe, read_battery
from trimtab_agent.probes.registry import power_unavailable_reason

Plant = Callable[[dict[str, str]], Path]
CLASS = "sys/class/power_supply"
ACPI = {"sys/firmware/acpi/pm_profile": "2\n"}
STORE = "var/lib/trimtab-agent/battery-calibration.json"


def battery(name: str = "BAT0", status: str = "Discharging", **files: object) -> dict[str, str]:
    told = {"type": "Battery", "status": status, **files}
    return {f"{CLASS}/{name}/{file}": f"{content}\n" for file, content in told.items()}


def powers(root: Path) -> list[Sensor]:
    return [each for each in PowerSupplyProbe().discover(root) if each.info.unit == "mW"]


def test_a_laptop_on_its_battery_tells_the_whole(plant: Plant) -> None:
    root = plant(battery(power_now=6321000, capacity=73) | ACPI)
    power, charge = PowerSupplyProbe().discover(root)
    assert (power.read(), power.info.unit, power.info.role) == (6321.0, "mW", "total")
    assert (charge.read(), charge.info.unit, charge.info.role) == (73.0, "%", None)
    assert power_unavailable_reason(root) is None


@pytest.mark.parametrize("current", [410000, -410000])
def test_an_acpi_battery_with_a_current_needs_no_calibration(plant: Plant, current: int) -> None:
    root = plant(battery(current_now=current, voltage_now=15000000) | ACPI)
    (sensor,) = powers(root)
    assert sensor.read() == pytest.approx(6150.0)


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging"])
def test_plugged_in_it_is_unavailable(plant: Plant, status: str) -> None:
    root = plant(battery(status=status, power_now=6321000) | ACPI)
    (sensor,) = powers(root)
    assert "unplug it to measure" in sensor.info.unavailable_reason
    assert sensor.info.role is None
    assert "unplug it to measure" in (power_unavailable_reason(root) or "")


def test_plugged_in_while_it_is_read_is_an_error(plant: Plant) -> None:
    root = plant(battery(power_now=6321000) | ACPI)
    (sensor,) = powers(root)
    (root / CLASS / "BAT0/status").write_text("Charging\n")
    with pytest.raises(SensorError, match="the battery is charging now"):
        sensor.read()


@pytest.mark.parametrize("microwatt", [-6321000, 0, 6321, 900_000_000_000])
def test_a_power_that_no_battery_gives_is_refused(plant: Plant, microwatt: int) -> None:
    (sensor,) = powers(plant(battery(power_now=microwatt) | ACPI))
    with pytest.raises(SensorError, match="which no battery gives"):
        sensor.read()


def test_of_two_batteries_each_is_an_addend_and_may_rest(plant: Plant) -> None:
    root = plant(
        battery("BAT0", power_now=6000000)
        | battery("BAT1", status="Not charging", power_now=0)
        | ACPI
    )
    found = powers(root)
    assert [each.info.role for each in found] == ["addend", "addend"]
    assert sum(each.read() for each in found) == 6000.0


def test_a_mouses_battery_is_not_the_devices(plant: Plant) -> None:
    assert powers(plant(battery("hidpp_battery_0", scope="Device", power_now=100000))) == []


def test_a_gauge_of_unknown_units_is_unavailable_and_names_the_command(plant: Plant) -> None:
    root = plant(battery("battery", current_now=-350000, voltage_now=4100000))
    (sensor,) = powers(root)
    assert "differ by vendor" in sensor.info.unavailable_reason
    assert "run 'trimtab-agent calibrate-battery'" in sensor.info.unavailable_reason
    with pytest.raises(SensorError, match="differ by vendor"):
        sensor.read()


def test_calibrated_it_tells_milliwatt(plant: Plant) -> None:
    root = plant(battery("battery", current_now=350, voltage_now=4100000))
    save_calibration(root / STORE, "power_supply/battery", Calibration("mA", 1, 1.0))
    (sensor,) = powers(root)
    assert sensor.read() == pytest.approx(1435.0)
    (root / CLASS / "battery/current_now").write_text("-350\n")
    with pytest.raises(SensorError, match="which no battery gives"):
        sensor.read()


def test_androids_power_is_not_trusted_where_nothing_calibrates_it(plant: Plant) -> None:
    files = battery("battery", power_now=1400, current_now=-350, voltage_now=4100000)
    (sensor,) = powers(plant(files | {"system/build.prop": ""}))
    assert sensor.info.name == "power_supply/battery/current_now"
    assert "differ by vendor" in sensor.info.unavailable_reason


def test_a_current_without_a_voltage_is_no_power(plant: Plant) -> None:
    (sensor,) = powers(plant(battery(current_now=350000) | ACPI))
    assert sensor.info.unavailable_reason == "it tells a current and no voltage"


def test_what_may_not_be_read_is_named(plant: Plant, forbid: Callable[[str], None]) -> None:
    root = plant(battery(power_now=6321000) | ACPI)
    forbid("power_now")
    (sensor,) = powers(root)
    assert sensor.info.unavailable_reason.startswith("this user may not read ")


@pytest.mark.parametrize("content", ["", "n/a", "1.5"])
def test_garbage_is_no_sensor(plant: Plant, content: str) -> None:
    assert powers(plant(battery(power_now=content) | ACPI)) == []


def test_a_battery_that_vanished_says_so(plant: Plant) -> None:
    root = plant(battery(power_now=6321000) | ACPI)
    (sensor,) = powers(root)
    (root / CLASS / "BAT0/power_now").unlink()
    with pytest.raises(SensorError, match="power_supply/BAT0/power_now does not answer"):
        sensor.read()


def test_what_a_calibration_needs_is_read_as_it_is_told(plant: Plant) -> None:
    root = plant(battery(current_now=-350, charge_now=2900000, voltage_now=4100000, capacity=85))
    reading = read_battery(root / CLASS / "BAT0", lambda: 7.0)
    assert (reading.time_s, reading.status) == (7.0, "Discharging")
    assert (reading.current, reading.charge) == (-350, 2900000)
    assert (reading.voltage, reading.capacity) == (4100000, 85)
