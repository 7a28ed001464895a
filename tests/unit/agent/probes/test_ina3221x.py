"""JetPack 4's own driver of the power rails."""

from collections.abc import Callable
from pathlib import Path

import pytest
from trimtab_agent.probes.base import SensorError
from trimtab_agent.probes.ina3221x import Ina3221xProbe

Plant = Callable[[dict[str, str]], Path]
DEVICE = "sys/bus/i2c/drivers/ina3221x"


def rail(address: str, number: int, label: str, milliwatt: object) -> dict[str, str]:
    folder = f"{DEVICE}/{address}/iio:device{int(address[-2:]) - 40}"
    return {
        f"{folder}/rail_name_{number}": f"{label}\n",
        f"{folder}/in_power{number}_input": f"{milliwatt}\n",
    }


def of_board(chip: str) -> dict[str, str]:
    return {"proc/device-tree/compatible": f"nvidia,board\0nvidia,{chip}\0"}


def roles(root: Path) -> dict[str, str | None]:
    found = Ina3221xProbe().discover(root)
    return {
        each.info.scope.split(":")[0].removeprefix("ina3221 "): each.info.role for each in found
    }


def test_tx2_has_a_total_that_holds_the_rest_of_the_module(plant: Plant) -> None:
    root = plant(
        of_board("tegra186")
        | rail("0-0040", 0, "VDD_SYS_GPU", 180)
        | rail("0-0041", 0, "VDD_IN", 3200)
        | rail("0-0041", 1, "VDD_SYS_CPU", 500)
        | rail("0-0042", 0, "VDD_MUX", 5200)
    )
    assert roles(root) == {
        "VDD_SYS_GPU": "part",
        "VDD_IN": "total",
        "VDD_SYS_CPU": "part",
        "VDD_MUX": "other",
    }


def test_agx_xavier_has_no_input_rail_and_is_added_up(plant: Plant) -> None:
    labels = ("GPU", "CPU", "SOC")
    first = [rail("1-0040", number, label, 100) for number, label in enumerate(labels)]
    more = [
        rail("1-0041", number, label, 100) for number, label in enumerate(("CV", "VDDRQ", "SYS5V"))
    ]
    files = of_board("tegra194")
    for each in (*first, *more):
        files |= each
    assert roles(plant(files)) == dict.fromkeys((*labels, "CV", "VDDRQ", "SYS5V"), "addend")


def test_the_same_label_on_an_unknown_board_has_no_role(plant: Plant) -> None:
    assert roles(plant(of_board("unknown") | rail("1-0040", 0, "GPU", 100))) == {"GPU": None}


def test_garbage_and_inputs_that_are_not_connected_are_none(plant: Plant) -> None:
    root = plant(rail("1-0040", 0, "GPU", "n/a") | rail("1-0040", 1, "NC", 0))
    assert roles(root) == {}


def test_a_rail_that_vanished_says_which(plant: Plant) -> None:
    root = plant(rail("1-0040", 0, "GPU", 100))
    (sensor,) = Ina3221xProbe().discover(root)
    assert sensor.read() == 100.0
    (root / DEVICE / "1-0040/iio:device0/in_power0_input").write_text("")
    with pytest.raises(SensorError, match="ina3221x/1-0040/in_power0_input does not answer"):
        sensor.read()
