"""All probes together, and what is said where they find nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest
from trimtab_agent.probes.base import SensorError
from trimtab_agent.probes.registry import load_probes, power_unavailable_reason, sensors_with_gaps
from trimtab_agent.probes.thermal import ThermalProbe

Plant = Callable[[dict[str, str]], Path]
ZONES = "sys/class/thermal"


def test_every_family_is_registered_under_its_name() -> None:
    probes, broken = load_probes()
    families = {"hwmon", "ina3221x", "nvml", "power_supply", "rapl", "termux", "vcgencmd"}
    assert families <= set(probes)
    assert broken == {}
    assert all(probe.name == name for name, probe in probes.items())


def test_without_a_power_sensor_what_was_looked_for_is_named(tmp_path: Path) -> None:
    reason = power_unavailable_reason(tmp_path) or ""
    probes, _ = load_probes()
    looked = ", ".join(probe.looks_for for probe in probes.values() if probe.looks_for)
    assert reason == f"no power sensor found (looked for {looked})"
    for place in (
        "/sys/class/hwmon",
        "ina3221x of JetPack 4",
        "/sys/class/powercap",
        "/sys/class/power_supply",
        "nvidia-ml-py",
        "termux-battery-status",
        "vcgencmd pmic_read_adc",
    ):
        assert place in reason


def test_a_missing_kind_stands_among_the_sensors(tmp_path: Path) -> None:
    gaps = {info.name: info.unavailable_reason for info in sensors_with_gaps(tmp_path)}
    assert gaps["power"].startswith("no power sensor found")
    assert "temperature" in gaps


def test_thermal_zones_give_degrees(plant: Plant) -> None:
    root = plant(
        {
            f"{ZONES}/thermal_zone0/temp": "47250\n",
            f"{ZONES}/thermal_zone0/type": "cpu-thermal\n",
            f"{ZONES}/thermal_zone10/temp": "-500\n",
            f"{ZONES}/thermal_zone2/type": "asleep\n",
        }
    )
    found = {
        each.info.name: (each.read(), each.info.unit, each.info.scope)
        for each in ThermalProbe().discover(root)
    }
    assert found == {
        "thermal/thermal_zone0": (47.25, "Cel", "cpu-thermal"),
        "thermal/thermal_zone10": (-0.5, "Cel", "thermal_zone10"),
    }


def test_a_sensor_that_stops_answering_says_which(plant: Plant) -> None:
    root = plant({f"{ZONES}/thermal_zone0/temp": "47250\n"})
    (sensor,) = ThermalProbe().discover(root)
    (root / ZONES / "thermal_zone0/temp").unlink()
    with pytest.raises(SensorError, match="thermal/thermal_zone0 does not answer"):
        sensor.read()
