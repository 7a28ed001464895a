"""Each recorded board is told exactly: name, cores, word size, clocks, governor, fan."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from board_trees import board_names, plant_board
from trimtab_agent.boards.bits import PYTHON_BITS
from trimtab_agent.boards.facts import hardware_facts
from trimtab_agent.boards.naming import name_board
from trimtab_agent.cpus import clusters, cpu_range, governors
from trimtab_agent.device import conditions, describe_device
from trimtab_agent.probes.clocks import ClocksProbe, cluster_settings
from trimtab_agent.probes.fan import FanProbe

_I5 = "12th Gen Intel(R) Core(TM) i5-1235U"
_RYZEN = "AMD Ryzen 7 5700G with Radeon Graphics"


@dataclass(frozen=True)
class Expected:
    """``clusters``: kind, processors, MHz; ``clocks``, ``fans``: by sensor."""

    model: str
    soc: str
    board: str
    told_by: str
    clusters: tuple[tuple[str, str, int], ...]
    governor: str
    limits: dict[str, str]
    clocks: dict[str, float]
    fans: dict[str, tuple[object, str]] = field(default_factory=dict)
    jetson_clocks: str | None = None
    android: str | None = None


EXPECTED = {
    "raspberry-pi-4": Expected(
        "Raspberry Pi 4 Model B Rev 1.4",
        "brcm,bcm2711",
        "Raspberry Pi 4 Model B",
        "device tree",
        (("Cortex-A72", "0-3", 1800),),
        "ondemand",
        {"frequency_limits_mhz": "600 to 1800"},
        {"policy0": 1800.0},
    ),
    "raspberry-pi-5": Expected(
        "Raspberry Pi 5 Model B Rev 1.0",
        "brcm,bcm2712",
        "Raspberry Pi 5",
        "device tree",
        (("Cortex-A76", "0-3", 2400),),
        "ondemand",
        {"frequency_limits_mhz": "1500 to 2400"},
        {"policy0": 2400.0},
        {
            "hwmon2/fan1_input": (3012.0, "/min"),
            "hwmon2/pwm1": (pytest.approx(75 / 2.55), "%"),
            "cooling_device0/cur_state": (1.0, "1"),
        },
    ),
    "jetson-nano": Expected(
        "NVIDIA Jetson Nano Developer Kit",
        "nvidia,tegra210",
        "NVIDIA Jetson Nano",
        "device tree",
        (("Cortex-A57", "0-3", 1479),),
        "schedutil",
        {"frequency_limits_mhz": "102 to 1479"},
        {"policy0": 1479.0},
        jetson_clocks="off",
    ),
    "jetson-orin-nano": Expected(
        "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
        "nvidia,tegra234",
        "NVIDIA Jetson Orin Nano 8GB",
        "device tree",
        (("Cortex-A78AE", "0-3", 1344), ("Cortex-A78AE", "4-5", 1344)),
        "schedutil",
        {"frequency_limits_mhz": "115 to 1344"},
        {"policy0": 1344.0, "policy4": 729.6},
        {"hwmon2/pwm1": (pytest.approx(76 / 2.55), "%"), "hwmon3/rpm": (1480.0, "/min")},
        jetson_clocks="off",
    ),
    "jetson-agx-orin": Expected(
        "NVIDIA Jetson AGX Orin Developer Kit",
        "nvidia,tegra234",
        "NVIDIA Jetson AGX Orin",
        "device tree",
        (
            ("Cortex-A78AE", "0-3", 2201),
            ("Cortex-A78AE", "4-7", 2201),
            ("Cortex-A78AE", "8-11", 2201),
        ),
        "schedutil",
        {"frequency_limits_mhz": "115 to 2201"},
        {"policy0": 729.6, "policy4": 729.6, "policy8": 729.6},
        jetson_clocks="off",
    ),
    "android-phone": Expected(
        "Google Pixel 8 Pro",
        "Google Tensor G3",
        "",
        "Android properties",
        (("Cortex-A510", "0-3", 1704), ("Cortex-A715", "4-7", 2367), ("Cortex-X3", "8", 2914)),
        "sched_pixel",
        {
            "frequency_limits_mhz_cluster_0-3": "324 to 1704",
            "frequency_limits_mhz_cluster_4-7": "402 to 2367",
            "frequency_limits_mhz_cluster_8": "500 to 2914",
        },
        {"policy0": 1328.0, "policy4": 1197.0, "policy8": 500.0},
        android="none",
    ),
    "intel-laptop": Expected(
        "LENOVO 21E3S00000",
        "",
        "",
        "DMI",
        ((f"{_I5} P-core", "0-3", 4400), (f"{_I5} E-core", "4-11", 3300)),
        "powersave",
        {
            "frequency_limits_mhz_cluster_0-3": "400 to 4400",
            "frequency_limits_mhz_cluster_4-11": "400 to 3300",
        },
        {"policy0": 1200.0, "policy4": 1200.0},
    ),
    "amd-desktop": Expected(
        "Micro-Star International Co., Ltd. MS-7C91",
        "",
        "",
        "DMI",
        ((_RYZEN, "0-15", 4673),),
        "powersave",
        {"frequency_limits_mhz": "400 to 4673"},
        {"policy0": 1400.0},
        {"hwmon2/fan1_input": (0.0, "/min"), "hwmon2/pwm1": (0.0, "%")},
    ),
}


@pytest.fixture(params=sorted(EXPECTED))
def board(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Expected]:
    return plant_board(tmp_path, request.param), EXPECTED[request.param]


def test_every_recorded_board_is_looked_at() -> None:
    assert board_names() == sorted(EXPECTED)


def test_its_name(board: tuple[Path, Expected]) -> None:
    root, expected = board
    named = name_board(root)
    assert (named.model, named.soc, named.source) == (
        expected.model,
        expected.soc,
        expected.told_by,
    )
    assert (named.known.name if named.known else "") == expected.board
    info = describe_device(root)
    assert (info.board_model, info.soc) == (expected.model, expected.soc)


def test_its_cores(board: tuple[Path, Expected]) -> None:
    root, expected = board
    found = tuple(
        (each.core_type, cpu_range(each.cpu_ids), each.max_frequency_hz // 1_000_000)
        for each in clusters(root)
    )
    assert found == expected.clusters


def test_its_governor_and_limits(board: tuple[Path, Expected]) -> None:
    root, expected = board
    assert governors(root) == expected.governor
    assert cluster_settings(root) == expected.limits
    told = conditions(root)
    assert told["governor"] == expected.governor
    assert {name: text for name, text in told.items() if "limits" in name} == expected.limits


def test_its_clocks_and_fans(board: tuple[Path, Expected]) -> None:
    root, expected = board
    clocks = {each.info.name: each.read() for each in ClocksProbe().discover(root)}
    assert clocks == {f"clocks/{name}": mhz for name, mhz in expected.clocks.items()}
    fans = {each.info.name: (each.read(), each.info.unit) for each in FanProbe().discover(root)}
    assert fans == {f"fan/{name}": told for name, told in expected.fans.items()}


def test_what_only_one_kind_of_device_has(board: tuple[Path, Expected]) -> None:
    root, expected = board
    told = conditions(root)
    assert told.get("jetson_clocks") == expected.jetson_clocks
    assert told.get("android_thermal_status") == expected.android


def test_its_other_facts(board: tuple[Path, Expected]) -> None:
    root, expected = board
    arch = root / "proc/sys/kernel/arch"
    arch.write_text("aarch64\n")
    facts = hardware_facts(root, python_bits=32)
    assert facts.get("board", "") == expected.board
    assert facts["board_told_by"] == expected.told_by
    assert facts["bits"].startswith("32-bit Python on a 64-bit kernel (aarch64)")
    assert "accelerators" not in facts
    arch.write_text("x86_64\n" if PYTHON_BITS == 64 else "i686\n")
    assert hardware_facts(root)["bits"] == f"{PYTHON_BITS}-bit"
