"""Power and energy of hwmon chips: which files, whose product, which role."""

from collections.abc import Callable
from pathlib import Path

import pytest
from trimtab_agent.probes.base import SensorError
from trimtab_agent.probes.hwmon import HwmonProbe
from trimtab_agent.records import SensorInfo

Plant = Callable[[dict[str, str]], Path]
HWMON = "sys/class/hwmon/hwmon0"


def infos(root: Path) -> dict[str, SensorInfo]:
    return {
        each.info.name.removeprefix("hwmon/hwmon0/"): each.info
        for each in HwmonProbe().discover(root)
    }


def values(root: Path) -> dict[str, float]:
    return {
        each.info.name.removeprefix("hwmon/hwmon0/"): each.read()
        for each in HwmonProbe().discover(root)
    }


def chip(name: str, **files: object) -> dict[str, str]:
    return {f"{HWMON}/name": f"{name}\n"} | {
        f"{HWMON}/{file}": f"{content}\n" for file, content in files.items()
    }


def test_power_energy_and_temperature_have_stated_units(plant: Plant) -> None:
    root = plant(
        chip(
            "ina226",
            power1_input=2500000,
            power1_label="VDD_IN",
            power2_average=1000000,
            energy1_input=7000000,
            temp1_input=40000,
            update_interval=35,
        )
    )
    assert values(root) == {
        "power1_input": 2500.0,
        "power2_average": 1000.0,
        "energy1_input": 7000.0,
        "temp1_input": 40.0,
    }
    found = infos(root)
    assert found["power1_input"].scope == "ina226 VDD_IN"
    assert found["power2_average"].scope == "ina226 power2"
    assert found["power2_average"].kind == "averaged"
    assert (found["energy1_input"].unit, found["energy1_input"].kind) == ("mJ", "counter")


@pytest.mark.parametrize(
    ("name", "interval_ms", "kind"),
    [("ina226", 35, "averaged"), ("ina226", 2, "instantaneous"), ("ina219", 35, "instantaneous")],
)
def test_an_averaging_chip_says_so_and_how_often(
    plant: Plant, name: str, interval_ms: int, kind: str
) -> None:
    info = infos(plant(chip(name, power1_input=1, update_interval=interval_ms)))["power1_input"]
    assert info.kind == kind
    assert info.sample_period_ns == interval_ms * 1_000_000


def test_a_power_meters_own_interval_counts(plant: Plant) -> None:
    root = plant(chip("power_meter", power1_average=212000000, power1_average_interval=1000))
    info = infos(root)["power1_average"]
    assert (info.role, info.sample_period_ns) == ("total", 1_000_000_000)


def test_current_times_voltage_only_where_both_are_of_one_channel(plant: Plant) -> None:
    """in4 is a shunt voltage in microvolt, curr4 the sum of the three currents."""
    root = plant(
        chip(
            "ina3221",
            in1_label="VDD_IN",
            in1_input=5000,
            curr1_input=1200,
            in2_input=5000,
            in4_input=6000,
            curr4_input=1200,
            samples=64,
            update_interval=140,
        )
    )
    assert values(root) == {"curr1_times_in1": 6000.0}
    info = infos(root)["curr1_times_in1"]
    assert (info.scope, info.role, info.kind) == ("ina3221 VDD_IN", None, "averaged")


def test_a_negative_current_is_shown_as_it_is(plant: Plant) -> None:
    root = plant(chip("ina3221", in1_input=5000, curr1_input=-8))
    assert values(root) == {"curr1_times_in1": -40.0}


def test_chips_with_unrelated_currents_and_voltages_give_no_product(plant: Plant) -> None:
    root = plant(chip("nct6775", in1_input=1000, curr1_input=100))
    assert values(root) == {}


def test_an_input_that_is_not_connected_is_none(plant: Plant) -> None:
    assert infos(plant(chip("ina3221", in1_label="NC", in1_input=0, curr1_input=0))) == {}


def test_pmbus_pairs_by_label_and_leaves_the_input_to_the_owner(plant: Plant) -> None:
    root = plant(
        chip(
            "tps53679",
            in1_label="vin",
            in1_input=12000,
            curr1_label="iin",
            curr1_input=500,
            in2_label="vout1",
            in2_input=900,
            curr2_label="iout1",
            curr2_input=5000,
            power1_label="pout1",
            power1_input=4500000,
        )
    )
    assert values(root) == {"power1_input": 4500.0, "curr1_times_in1": 6000.0}
    found = infos(root)
    assert found["power1_input"].role == "other"
    assert found["curr1_times_in1"].role is None
    assert found["curr1_times_in1"].scope == "tps53679 pin: a regulator's input"


def test_amd_energy_adds_up_sockets_and_not_their_cores(plant: Plant) -> None:
    files = chip(
        "amd_energy",
        energy1_label="Ecore000",
        energy1_input=10,
        energy2_label="Esocket0",
        energy2_input=90,
    )
    root = plant(files)
    assert infos(root)["energy1_input"].role == "part"
    assert infos(root)["energy2_input"].role == "addend"
    zone = "sys/class/powercap/intel-rapl:0"
    plant({f"{zone}/name": "package-0\n", f"{zone}/energy_uj": "90\n"})
    assert infos(root)["energy2_input"].role == "other", "the same processor is told by RAPL"


def test_a_rail_with_a_counter_is_counted_once(plant: Plant) -> None:
    root = plant(
        chip(
            "xe",
            energy1_label="card",
            energy1_input=5,
            power1_label="card",
            power1_input=7,
            energy2_label="pkg",
            energy2_input=3,
        )
    )
    roles = {name: info.role for name, info in infos(root).items()}
    assert roles == {"energy1_input": "addend", "power1_input": "other", "energy2_input": "part"}


def test_a_power_supply_units_total_is_the_machines(plant: Plant) -> None:
    root = plant(
        chip(
            "corsairpsu",
            power1_label="power total",
            power1_input=62000000,
            power2_label="power +12v",
            power2_input=50000000,
        )
    )
    roles = {name: info.role for name, info in infos(root).items()}
    assert roles == {"power1_input": "total", "power2_input": "part"}


def test_thor_has_the_carrier_boards_input_as_its_total(plant: Plant) -> None:
    root = plant(
        chip("ina238", label="VIN", power1_input=23000000)
        | {
            "proc/device-tree/compatible": "nvidia,p3971-0089+p3834-0008\0nvidia,tegra264\0",
            "sys/class/hwmon/hwmon1/name": "ina3221\n",
            "sys/class/hwmon/hwmon1/in1_label": "VDD_GPU\n",
            "sys/class/hwmon/hwmon1/in1_input": "20000\n",
            "sys/class/hwmon/hwmon1/curr1_input": "120\n",
        }
    )
    roles = {each.info.name: each.info.role for each in HwmonProbe().discover(root)}
    assert roles == {
        "hwmon/hwmon0/power1_input": "total",
        "hwmon/hwmon1/curr1_times_in1": "part",
    }


def test_a_batterys_own_chip_is_left_to_the_power_supplies(plant: Plant) -> None:
    root = plant(
        chip("BAT_0", power1_input=1000000) | {"sys/class/power_supply/BAT-0/type": "Battery\n"}
    )
    assert infos(root) == {}


def test_what_this_user_may_not_read_is_there_with_the_reason(
    plant: Plant, forbid: Callable[[str], None]
) -> None:
    root = plant(chip("amd_energy", energy1_label="Esocket0", energy1_input=90))
    forbid("energy1_input")
    (sensor,) = HwmonProbe().discover(root)
    assert "may not read" in sensor.info.unavailable_reason
    assert sensor.info.role == "addend", "a sum without it would be too small"
    with pytest.raises(SensorError, match="may not read"):
        sensor.read()


@pytest.mark.parametrize("content", ["", "n/a\n", "1.5e\n"])
def test_garbage_is_no_sensor(plant: Plant, content: str) -> None:
    root = plant({f"{HWMON}/name": "ina219\n", f"{HWMON}/power1_input": content})
    assert infos(root) == {}


def test_a_counter_below_zero_is_refused(plant: Plant) -> None:
    (sensor,) = HwmonProbe().discover(plant(chip("i915", energy1_input=-5)))
    with pytest.raises(SensorError, match="no counter is negative"):
        sensor.read()


def test_a_product_whose_half_vanished_says_which(plant: Plant) -> None:
    root = plant(chip("ina3221", in1_input=5000, curr1_input=100))
    (sensor,) = HwmonProbe().discover(root)
    (root / HWMON / "curr1_input").unlink()
    with pytest.raises(SensorError, match="hwmon/hwmon0/curr1_times_in1 does not answer"):
        sensor.read()


ROLES = "etc/trimtab-agent/sensor-roles.json"


def test_the_owner_says_what_an_unknown_chip_measures(plant: Plant) -> None:
    root = plant(chip("ina219", power1_input=3000000) | {ROLES: '{"ina219 power1": "total"}'})
    assert infos(root)["power1_input"].role == "total"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read"),
        ("[]", "is not of the form"),
        ('{"ina219 power1": "everything"}', "is none of total, addend, part, other"),
        ('{"ina219 power1": ["total"]}', "is none of total, addend, part, other"),
    ],
)
def test_a_broken_file_of_roles_makes_no_role_but_a_reason(
    plant: Plant, text: str, reason: str
) -> None:
    root = plant(chip("ina219", power1_input=3000000, temp1_input=1000) | {ROLES: text})
    found = infos(root)
    assert reason in found["power1_input"].unavailable_reason
    assert found["temp1_input"].unavailable_reason == ""
