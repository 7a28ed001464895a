"""Power mode and boost, from trees like those of a Jetson, laptops, a Pi and a virtual machine."""

from collections.abc import Callable
from pathlib import Path

import pytest
from trimtab_agent.device import conditions, describe_device
from trimtab_agent.power_mode import boost, jetson_mode, power_mode

Plant = Callable[[dict[str, str]], Path]

_POLICY = "sys/devices/system/cpu/cpufreq/policy"
_MODES = """\
< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_1 /sys/devices/system/cpu/cpu1/online
< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_1 1
< POWER_MODEL ID=1 NAME=25W >
< POWER_MODEL ID=2 NAME=MAXN_SUPER >
< PM_CONFIG DEFAULT=1 >
"""
ORIN_NANO = {
    "etc/nvpmodel.conf": _MODES,
    "var/lib/nvpmodel/status": "pmode:0001 fmode:fanNull",
}
INTEL_LAPTOP = {
    "sys/firmware/acpi/platform_profile": "balanced\n",
    "sys/firmware/acpi/platform_profile_choices": "low-power balanced performance\n",
    "sys/devices/system/cpu/intel_pstate/no_turbo": "0\n",
    f"{_POLICY}0/energy_performance_preference": "balance_performance\n",
    f"{_POLICY}1/energy_performance_preference": "balance_performance\n",
}
AMD_DESKTOP = {
    "sys/devices/system/cpu/cpufreq/boost": "0\n",
    f"{_POLICY}0/energy_performance_preference": "performance\n",
    f"{_POLICY}1/energy_performance_preference": "power\n",
}
PI = {f"{_POLICY}0/scaling_governor": "ondemand\n"}


@pytest.mark.parametrize(
    ("tree", "mode", "boosted"),
    [
        (ORIN_NANO, "25W (nvpmodel)", "none: "),
        (
            INTEL_LAPTOP,
            "balanced (platform profile), balance_performance (energy preference)",
            "on",
        ),
        (AMD_DESKTOP, "performance, power (energy preference)", "off"),
        (PI, "none: no platform profile", "none: "),
        ({}, "none: no platform profile", "none: "),
    ],
)
def test_each_machine_tells_its_mode_and_boost(
    plant: Plant, tree: dict[str, str], mode: str, boosted: str
) -> None:
    root = plant(tree)
    assert power_mode(root).startswith(mode)
    assert boost(root).startswith(boosted)
    assert conditions(root)["power_mode"] == power_mode(root)


def test_the_description_of_a_device_names_what_it_has_and_nothing_else(plant: Plant) -> None:
    tuning = describe_device(plant(ORIN_NANO)).tuning
    assert tuning["power_mode"] == "25W (nvpmodel)"
    assert "boost" not in tuning


def test_a_jetson_whose_state_cannot_be_read_is_unknown_and_not_without_modes(
    plant: Plant,
) -> None:
    root = plant({"etc/nvpmodel.conf": _MODES})
    assert power_mode(root).startswith("unknown: nvpmodel is set up here")


def test_the_fastest_mode_goes_by_its_name_since_numbers_do_not_tell(plant: Plant) -> None:
    mode = jetson_mode(plant(ORIN_NANO))
    assert mode is not None
    assert (mode.mode_id, mode.fastest) == (1, 2)


def test_a_mode_without_a_name_is_told_by_its_number(plant: Plant) -> None:
    root = plant({"var/lib/nvpmodel/status": "pmode:0003"})
    assert power_mode(root) == "3 (nvpmodel)"
