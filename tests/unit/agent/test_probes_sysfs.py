"""Sensors of fake trees: units, scopes, and what is said where there are none."""

from collections.abc import Callable
from pathlib import Path

import pytest
from trimtab_agent.probes.base import Probe, SensorError
from trimtab_agent.probes.hwmon import HwmonProbe
from trimtab_agent.probes.power_supply import PowerSupplyProbe
from trimtab_agent.probes.registry import power_unavailable_reason, sensor_infos
from trimtab_agent.probes.thermal import ThermalProbe

Plant = Callable[[dict[str, str]], Path]


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    def write(files: dict[str, str]) -> Path:
        for name, content in files.items():
            path = tmp_path / "sys/class" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path

    return write


def readings(probe: Probe, root: Path) -> dict[str, tuple[float, str, str]]:
    return {
        sensor.info.name: (sensor.read(), sensor.info.unit, sensor.info.scope)
        for sensor in probe.discover(root)
    }


def test_thermal_zones_give_degrees(plant: Plant) -> None:
    root = plant(
        {
            "thermal/thermal_zone0/temp": "47250\n",
            "thermal/thermal_zone0/type": "cpu-thermal\n",
            "thermal/thermal_zone10/temp": "-500\n",
            "thermal/thermal_zone2/type": "asleep\n",
        }
    )
    assert readings(ThermalProbe(), root) == {
        "thermal/thermal_zone0": (47.25, "Cel", "cpu-thermal"),
        "thermal/thermal_zone10": (-0.5, "Cel", "thermal_zone10"),
    }


def test_hwmon_gives_power_energy_and_temperature_in_stated_units(plant: Plant) -> None:
    root = plant(
        {
            "hwmon/hwmon0/name": "ina226\n",
            "hwmon/hwmon0/power1_input": "2500000\n",
            "hwmon/hwmon0/power1_label": "VDD_IN\n",
            "hwmon/hwmon0/power2_average": "1000000\n",
            "hwmon/hwmon0/energy1_input": "7000000\n",
            "hwmon/hwmon0/temp1_input": "40000\n",
            "hwmon/hwmon0/update_interval": "35\n",
        }
    )
    assert readings(HwmonProbe(), root) == {
        "hwmon/hwmon0/power1_input": (2500.0, "mW", "ina226 VDD_IN"),
        "hwmon/hwmon0/power2_average": (1000.0, "mW", "ina226 power2"),
        "hwmon/hwmon0/energy1_input": (7000.0, "mJ", "ina226 energy1"),
        "hwmon/hwmon0/temp1_input": (40.0, "Cel", "ina226 temp1"),
    }
    kinds = {sensor.info.name: sensor.info for sensor in HwmonProbe().discover(root)}
    assert kinds["hwmon/hwmon0/power2_average"].kind == "averaged"
    assert kinds["hwmon/hwmon0/energy1_input"].kind == "counter"
    assert kinds["hwmon/hwmon0/power1_input"].sample_period_ns == 35_000_000


def test_a_battery_gives_power_and_charge(plant: Plant) -> None:
    root = plant(
        {
            "power_supply/BAT0/type": "Battery\n",
            "power_supply/BAT0/power_now": "4200000\n",
            "power_supply/BAT0/capacity": "77\n",
            "power_supply/AC/type": "Mains\n",
        }
    )
    found = readings(PowerSupplyProbe(), root)
    assert found["power_supply/BAT0/power_now"][:2] == (4200.0, "mW")
    assert found["power_supply/BAT0/capacity"][:2] == (77.0, "%")
    assert len(found) == 2
    assert power_unavailable_reason(root) is None


def test_a_fuel_gauge_without_known_units_is_unavailable_and_not_guessed(plant: Plant) -> None:
    root = plant(
        {
            "power_supply/battery/type": "Battery\n",
            "power_supply/battery/current_now": "-350000\n",
            "power_supply/battery/voltage_now": "4100000\n",
        }
    )
    (info,) = sensor_infos(root)
    assert "differ by vendor" in info.unavailable_reason
    reason = power_unavailable_reason(root)
    assert reason is not None
    assert "differ by vendor" in reason


def test_a_sensor_that_stops_answering_says_which(plant: Plant) -> None:
    root = plant({"thermal/thermal_zone0/temp": "47250\n"})
    (sensor,) = ThermalProbe().discover(root)
    (root / "sys/class/thermal/thermal_zone0/temp").unlink()
    with pytest.raises(SensorError, match="thermal/thermal_zone0 does not answer"):
        sensor.read()


def test_without_a_power_sensor_what_was_looked_for_is_named(plant: Plant) -> None:
    root = plant({"thermal/thermal_zone0/temp": "47250\n"})
    assert power_unavailable_reason(root) == (
        "no power sensor found (looked for power and energy files in /sys/class/hwmon, "
        "batteries in /sys/class/power_supply)"
    )
