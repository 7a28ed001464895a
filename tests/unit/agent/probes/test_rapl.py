"""RAPL counters: what is added up, where they start over, what an ordinary user sees."""

from collections.abc import Callable
from pathlib import Path

import pytest
from contract.test_probe_contract import ProbeContract
from trimtab_agent.probes.base import Probe, SensorError
from trimtab_agent.probes.rapl import RaplProbe
from trimtab_agent.probes.registry import power_unavailable_reason

Plant = Callable[[dict[str, str]], Path]
CLASS = "sys/class/powercap"


def zone(folder: str, name: str, energy_uj: object = 1000) -> dict[str, str]:
    return {
        f"{CLASS}/{folder}/name": f"{name}\n",
        f"{CLASS}/{folder}/energy_uj": f"{energy_uj}\n",
        f"{CLASS}/{folder}/max_energy_range_uj": "262143328850\n",
    }


def roles(root: Path) -> dict[str, str | None]:
    return {
        each.info.name.removeprefix("rapl/"): each.info.role for each in RaplProbe().discover(root)
    }


class TestContract(ProbeContract):
    @pytest.fixture
    def probe(self) -> Probe:
        return RaplProbe()

    @property
    def files(self) -> dict[str, str]:
        return {
            "powercap/intel-rapl:0/name": "package-0\n",
            "powercap/intel-rapl:0/energy_uj": "1000\n",
        }


def test_packages_and_memory_are_added_up_and_cores_are_not(plant: Plant) -> None:
    root = plant(
        zone("intel-rapl:0", "package-0")
        | zone("intel-rapl:0:0", "core")
        | zone("intel-rapl:0:1", "dram")
        | zone("intel-rapl:1", "package-1")
        | zone("intel-rapl:1:0", "dram")
    )
    assert roles(root) == {
        "intel-rapl:0": "addend",
        "intel-rapl:1": "addend",
        "intel-rapl:0:0": "part",
        "intel-rapl:0:1": "addend",
        "intel-rapl:1:0": "addend",
    }


def test_the_platform_is_the_total_and_holds_the_rest(plant: Plant) -> None:
    root = plant(
        zone("intel-rapl:0", "package-0")
        | zone("intel-rapl:0:0", "dram")
        | zone("intel-rapl:1", "psys")
    )
    assert roles(root) == {
        "intel-rapl:0": "part",
        "intel-rapl:1": "total",
        "intel-rapl:0:0": "part",
    }


def test_a_platform_meter_that_was_not_wired_is_no_total(plant: Plant) -> None:
    root = plant(zone("intel-rapl:0", "package-0") | zone("intel-rapl:1", "psys", 0))
    assert roles(root) == {"intel-rapl:0": "addend", "intel-rapl:1": "other"}


def test_the_same_counter_by_memory_is_not_told_twice(plant: Plant) -> None:
    by_memory = zone("intel-rapl-mmio:0", "package-0")
    root = plant(by_memory)
    assert roles(root) == {"intel-rapl-mmio:0": "addend"}, "alone it is good enough"
    plant(zone("intel-rapl:0", "package-0"))
    assert roles(root) == {"intel-rapl:0": "addend"}


def test_the_counter_says_in_millijoule_where_it_starts_over(plant: Plant) -> None:
    (sensor,) = RaplProbe().discover(plant(zone("intel-rapl:0", "package-0", 5_000_000)))
    assert sensor.read() == 5000.0
    assert sensor.info.counter_range == pytest.approx(262143328.85)
    assert (sensor.info.unit, sensor.info.kind) == ("mJ", "counter")


def test_a_range_that_is_not_told_is_zero(plant: Plant) -> None:
    files = zone("intel-rapl:0", "package-0")
    files[f"{CLASS}/intel-rapl:0/max_energy_range_uj"] = "garbage\n"
    (sensor,) = RaplProbe().discover(plant(files))
    assert sensor.info.counter_range == 0


def test_an_ordinary_user_is_told_what_to_do(plant: Plant, forbid: Callable[[str], None]) -> None:
    root = plant(zone("intel-rapl:0", "package-0") | zone("intel-rapl:0:0", "core"))
    forbid("energy_uj")
    package, core = RaplProbe().discover(root)
    assert "only root may read it" in package.info.unavailable_reason
    assert (package.info.role, core.info.role) == ("addend", "part")
    with pytest.raises(SensorError, match="udev rule"):
        package.read()
    reason = power_unavailable_reason(root) or ""
    assert reason.count("udev rule") == 1, "two sensors with one reason tell it once"
    assert "rapl/intel-rapl:0, rapl/intel-rapl:0:0: since Linux 5.10" in reason
