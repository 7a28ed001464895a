"""Each recorded board gives exactly these sensors of power and energy, and this total."""

from collections.abc import Callable
from pathlib import Path

import pytest
from board_trees import board_names
from trimtab_agent.probes.registry import discover, power_unavailable_reason

Board = Callable[[str], Path]
# Name: unit, role, kind, and how the scope begins.
EXPECTED = {
    "raspberry-pi-4": {},
    "raspberry-pi-5": {
        f"vcgencmd/{rail}": ("mW", "addend", "instantaneous", f"rail {rail};")
        for rail in (
            "3V7_WL_SW",
            "3V3_SYS",
            "1V8_SYS",
            "DDR_VDD2",
            "DDR_VDDQ",
            "1V1_SYS",
            "0V8_SW",
            "VDD_CORE",
            "3V3_DAC",
            "3V3_ADC",
            "0V8_AON",
            "HDMI",
        )
    },
    "jetson-orin-nano": {
        "hwmon/hwmon1/curr1_times_in1": ("mW", "total", "instantaneous", "ina3221 VDD_IN:"),
        "hwmon/hwmon1/curr2_times_in2": ("mW", "part", "instantaneous", "ina3221 VDD_CPU_GPU_CV:"),
        "hwmon/hwmon1/curr3_times_in3": ("mW", "part", "instantaneous", "ina3221 VDD_SOC:"),
    },
    "jetson-agx-orin": {
        "hwmon/hwmon3/curr1_times_in1": ("mW", "addend", "instantaneous", "ina3221 VDD_GPU_SOC:"),
        "hwmon/hwmon3/curr2_times_in2": ("mW", "addend", "instantaneous", "ina3221 VDD_CPU_CV:"),
        "hwmon/hwmon3/curr3_times_in3": ("mW", "addend", "instantaneous", "ina3221 VIN_SYS_5V0:"),
        "hwmon/hwmon4/curr2_times_in2": (
            "mW",
            "part",
            "instantaneous",
            "ina3221 VDDQ_VDD2_1V8AO: the memory, in VIN_SYS_5V0 already",
        ),
    },
    "jetson-nano": {
        "ina3221x/6-0040/in_power0_input": (
            "mW",
            "total",
            "instantaneous",
            "ina3221 POM_5V_IN: the whole board",
        ),
        "ina3221x/6-0040/in_power1_input": ("mW", "part", "instantaneous", "ina3221 POM_5V_GPU:"),
        "ina3221x/6-0040/in_power2_input": ("mW", "part", "instantaneous", "ina3221 POM_5V_CPU:"),
    },
    "android-phone": {"termux/battery": ("mW", "total", "instantaneous", "whole device")},
    "intel-laptop": {
        "power_supply/BAT0/power_now": ("mW", "total", "instantaneous", "whole device"),
        "rapl/intel-rapl:0": ("mJ", "part", "counter", "package-0:"),
        "rapl/intel-rapl:1": ("mJ", "total", "counter", "psys:"),
        "rapl/intel-rapl:0:0": ("mJ", "part", "counter", "core:"),
        "rapl/intel-rapl:0:1": ("mJ", "part", "counter", "uncore:"),
    },
    "amd-desktop": {
        "hwmon/hwmon2/power1_average": ("mW", "addend", "averaged", "amdgpu PPT: a graphics chip"),
        "hwmon/hwmon3/power1_input": ("mW", "part", "instantaneous", "amdgpu PPT: in the"),
        "rapl/intel-rapl:0": ("mJ", "addend", "counter", "package-0:"),
        "rapl/intel-rapl:0:0": ("mJ", "part", "counter", "core:"),
    },
}
# Milliwatt of the sensors of power that stand for the whole device.
WHOLE_MW = {
    "raspberry-pi-5": 10799.89,  # the twelve products of the recorded text
    "jetson-orin-nano": 5056 * 1136 / 1000,
    "jetson-agx-orin": (19848 * 160 + 19848 * 40 + 4968 * 953) / 1000,
    "jetson-nano": 2875,
    "intel-laptop": 6321,
}


def test_every_recorded_board_is_tested() -> None:
    assert board_names() == sorted(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_sensors_are_these(board: Board, name: str) -> None:
    found = [each.info for each in discover(board(name)) if each.info.unit in {"mW", "mJ"}]
    expected = EXPECTED[name]
    assert {
        info.name: (info.unit, info.role, info.kind, info.scope[: len(expected[info.name][3])])
        for info in found
        if info.name in expected
    } == expected
    assert {info.name for info in found} == set(expected)


@pytest.mark.parametrize("name", sorted(WHOLE_MW))
def test_the_whole_is_the_total_or_the_sum_of_the_addends(board: Board, name: str) -> None:
    sensors = [each for each in discover(board(name)) if each.info.unit == "mW"]
    totals = [each.read() for each in sensors if each.info.role == "total"]
    addends = [each.read() for each in sensors if each.info.role == "addend"]
    assert len(totals) <= 1
    assert sum(totals or addends) == pytest.approx(WHOLE_MW[name], abs=0.01)


def test_a_raspberry_pi_4_is_told_to_have_none(board: Board) -> None:
    reason = power_unavailable_reason(board("raspberry-pi-4")) or ""
    assert reason.startswith("no power sensor found (looked for ")
    assert reason.endswith(
        "; a Raspberry Pi 4 Model B Rev 1.4 has no power sensor: measure at the plug with a meter"
    )


def test_a_phone_says_how_to_calibrate_it(board: Board) -> None:
    reason = power_unavailable_reason(board("android-phone")) or ""
    assert "run 'trimtab-agent calibrate-battery'" in reason
