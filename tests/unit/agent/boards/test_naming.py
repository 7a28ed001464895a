"""Names from partial and broken firmware, the table of boards, Android, and word sizes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from trimtab_agent.boards.bits import word_size
from trimtab_agent.boards.cores import core_name, core_name_of_midr
from trimtab_agent.boards.known import KNOWN_BOARDS, known_board
from trimtab_agent.boards.naming import name_board
from trimtab_agent.device import describe_device
from trimtab_agent.identity import identify
from trimtab_agent.probes.commands import CommandError

Plant = Callable[[dict[str, str]], Path]
DT = "proc/device-tree"
DMI = "sys/class/dmi/id"


@pytest.mark.parametrize(
    ("compatible", "model", "board"),
    [
        (("raspberrypi,5-model-b", "brcm,bcm2712"), "", "Raspberry Pi 5"),
        (("raspberrypi,500", "brcm,bcm2712"), "", "Raspberry Pi 500"),
        ((), "Raspberry Pi 5 Model B Rev 1.1", "Raspberry Pi 5"),
        ((), "Raspberry Pi 500 Rev 1.0", "Raspberry Pi 500"),
        ((), "Raspberry Pi 3 Model B Rev 1.2", "Raspberry Pi 3 Model B"),
        ((), "Raspberry Pi 3 Model B Plus Rev 1.3", "Raspberry Pi 3 Model B+"),
        (("nvidia,p3768-0000+p3767-0003", "nvidia,tegra234"), "", "NVIDIA Jetson Orin Nano 8GB"),
        (("nvidia,p3509-0000+p3767-0000", "nvidia,tegra234"), "", "NVIDIA Jetson Orin NX 16GB"),
        (("nvidia,p3768-0000+p3767-0001-super",), "", "NVIDIA Jetson Orin NX 8GB"),
        (
            ("acme,carrier", "nvidia,p3767-0004", "nvidia,tegra234"),
            "",
            "NVIDIA Jetson Orin Nano 4GB",
        ),
        (("xunlong,orangepi-5-plus", "rockchip,rk3588"), "", "Orange Pi 5 Plus"),
        (("xunlong,orangepi-5", "rockchip,rk3588s"), "", "Orange Pi 5"),
        (("hardkernel,odroid-n2-plus", "amlogic,s922x", "amlogic,g12b"), "", "ODROID-N2+"),
    ],
)
def test_boards_are_found_by_the_most_specific_name(
    compatible: tuple[str, ...], model: str, board: str
) -> None:
    found = known_board(compatible, model)
    assert found is not None
    assert found.name == board


@pytest.mark.parametrize(
    ("compatible", "model"),
    [
        ((), ""),
        (("acme,board", "rockchip,rk3588"), "ACME Board"),
        (("raspberrypi,5-model-b-clone",), "Not a Raspberry Pi 5 Model B"),
        (("nvidia,p3767-0005x",), ""),
    ],
)
def test_what_is_not_in_the_table_is_not_guessed(compatible: tuple[str, ...], model: str) -> None:
    assert known_board(compatible, model) is None


def test_the_table_has_each_board_once_and_nothing_empty() -> None:
    names = [board.name for board in KNOWN_BOARDS]
    assert len(set(names)) == len(names)
    for board in KNOWN_BOARDS:
        re.compile(board.compatible)
        assert all((board.soc, board.memory, board.power, board.compatible))


@pytest.mark.parametrize(
    ("files", "model", "source"),
    [
        ({}, "", ""),
        ({f"{DT}/model": "\x00", f"{DT}/compatible": "\x00\x00"}, "", ""),
        ({f"{DT}/model": "Some Board\x00"}, "Some Board", "device tree"),
        (
            {f"{DT}/compatible": "raspberrypi,4-model-b\x00brcm,bcm2711\x00"},
            "Raspberry Pi 4 Model B",
            "device tree",
        ),
        (
            {f"{DMI}/sys_vendor": "To Be Filled By O.E.M.\n", f"{DMI}/product_name": "N/A\n"},
            "N/A",
            "DMI",
        ),
        (
            {
                f"{DMI}/sys_vendor": "AZW\n",
                f"{DMI}/product_name": "Default string\n",
                f"{DMI}/board_name": "SER\n",
            },
            "AZW SER",
            "DMI",
        ),
        ({f"{DMI}/sys_vendor": "Default string\n"}, "", ""),
    ],
)
def test_partial_firmware_tells_what_it_has(
    plant: Plant, files: dict[str, str], model: str, source: str
) -> None:
    named = name_board(plant(files))
    assert (named.model, named.source) == (model, source)


def test_a_device_tree_that_may_not_be_read_is_none(plant: Plant) -> None:
    root = plant({f"{DT}/model/is": "a folder"})
    assert name_board(root).model == ""
    assert describe_device(root).board_model == ""


def test_without_getprop_android_goes_by_its_build_files(plant: Plant) -> None:
    files = {
        "system/build.prop": "# a\nro.build.version.release=13\nro.product.model=\n=x\nrubbish\n",
        "vendor/build.prop": "ro.board.platform=kona\nro.product.model=Phone 5\n",
    }
    root = plant(files)
    named = name_board(root)
    assert (named.model, named.soc, named.os_release) == ("Phone 5", "kona", "Android 13")
    info = describe_device(root)
    assert (info.board_model, info.soc, info.os_release) == ("Phone 5", "kona", "Android 13")


def test_android_that_tells_nothing_is_no_board(plant: Plant) -> None:
    def refuse(_root: Path, command: Sequence[str]) -> str:
        raise CommandError(f"{command[0]} did not answer within 2 s")

    named = name_board(plant({"system/bin/getprop": ""}), refuse)
    assert (named.model, named.soc, named.source) == ("", "", "")


@pytest.mark.parametrize(
    ("printed", "model"),
    [
        (
            "[ro.product.manufacturer]: [samsung]\n[ro.product.model]: [SM-S921B]\n",
            "samsung SM-S921B",
        ),
        (
            "[ro.product.manufacturer]: [OnePlus]\n[ro.product.model]: [ONEPLUS A6003]\n",
            "ONEPLUS A6003",
        ),
        ("[ro.product.model]: [Pixel 7]\r\n[ro.x]: []\r\nnonsense [a]: b\r\n", "Pixel 7"),
        ("", ""),
    ],
)
def test_what_getprop_prints_is_read(plant: Plant, printed: str, model: str) -> None:
    root = plant({"system/bin/getprop": "", "commands/getprop": printed})
    assert name_board(root).model == model


def test_phones_are_not_all_one_device(plant: Plant) -> None:
    root = plant({"system/build.prop": "ro.build.fingerprint=a/b/c\n"})
    by_build = identify(root)
    assert "look the same" in by_build.fallback
    (root / "commands").mkdir()
    getprop = root / "commands/getprop"
    getprop.write_text("[ro.serialno]: [unknown]\n[ro.boot.serialno]: [8A1X0]\n")
    by_serial = identify(root)
    assert by_serial.fallback == "the phone's serial number"
    assert by_serial.device_id != by_build.device_id
    getprop.write_text("[ro.serialno]: [unknown]\n")
    assert "host name" in identify(root).fallback


@pytest.mark.parametrize(
    ("machine", "python", "text"),
    [
        ("aarch64", 64, "64-bit"),
        ("armv7l", 32, "32-bit"),
        ("aarch64", 32, "32-bit Python on a 64-bit kernel (aarch64): only 32-bit runtimes"),
        ("x86_64", 32, "32-bit Python on a 64-bit kernel (x86_64)"),
        ("armv8l", 32, "32-bit Python on armv8l"),
    ],
)
def test_kernel_and_python_of_different_size_are_told(
    plant: Plant, machine: str, python: int, text: str
) -> None:
    assert str(word_size(plant({"proc/sys/kernel/arch": f"{machine}\n"}), python)).startswith(text)


def test_cores_are_named_by_their_numbers() -> None:
    assert core_name(0x41, 0xD0B) == "Cortex-A76"
    assert core_name(0x51, 0x001) == "implementer 0x51 part 0x001"
    assert core_name_of_midr(0x414FD0B1) == "Cortex-A76"
    assert core_name_of_midr(0x410FD083) == "Cortex-A72"
