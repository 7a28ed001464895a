"""The boards that Trimtab knows by name: data, and how one is found in it.

``compatible`` is a pattern for one whole string of the device tree's "compatible" (the names are
those of the kernel's arch/*/boot/dts and of NVIDIA's Jetson Linux), ``model`` one for the beginning
of what the firmware calls the board, for kernels whose device tree lacks the former. What each kit
was sold with is ``memory``: how much is in it, the device tells itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_NO_SENSOR = "no sensor of its power that Linux could read: use an external meter"
_PMIC = "the PMIC tells the current and voltage of its rails, and no total"
_VDD_IN = "an INA3221; its rail VDD_IN is what the module takes"
_INA3221 = "INA3221 monitors; which rail covers which is told with each sensor"


@dataclass(frozen=True)
class KnownBoard:
    """``power``: what is known of a power sensor on the board itself."""

    name: str
    soc: str
    memory: str
    power: str
    compatible: str
    model: str = ""


KNOWN_BOARDS = (
    KnownBoard(
        "Raspberry Pi Zero 2 W",
        "BCM2710A1",
        "512 MB",
        _NO_SENSOR,
        "raspberrypi,model-zero-2-w",
        "Raspberry Pi Zero 2 W",
    ),
    KnownBoard(
        "Raspberry Pi 3 Model B",
        "BCM2837",
        "1 GB",
        _NO_SENSOR,
        "raspberrypi,3-model-b",
        "Raspberry Pi 3 Model B Rev",
    ),
    KnownBoard(
        "Raspberry Pi 3 Model B+",
        "BCM2837B0",
        "1 GB",
        _NO_SENSOR,
        "raspberrypi,3-model-b-plus",
        "Raspberry Pi 3 Model B Plus",
    ),
    KnownBoard(
        "Raspberry Pi 4 Model B",
        "BCM2711",
        "1, 2, 4 or 8 GB",
        _NO_SENSOR,
        "raspberrypi,4-model-b",
        "Raspberry Pi 4 Model B",
    ),
    KnownBoard(
        "Raspberry Pi 400",
        "BCM2711",
        "4 GB",
        _NO_SENSOR,
        "raspberrypi,400",
        "Raspberry Pi 400",
    ),
    KnownBoard(
        "Raspberry Pi Compute Module 4",
        "BCM2711",
        "1, 2, 4 or 8 GB",
        _NO_SENSOR,
        "raspberrypi,4-compute-module(-s)?",
        "Raspberry Pi Compute Module 4",
    ),
    KnownBoard(
        "Raspberry Pi 5",
        "BCM2712",
        "1, 2, 4, 8 or 16 GB",
        _PMIC,
        "raspberrypi,5-model-b",
        "Raspberry Pi 5 ",
    ),
    KnownBoard(
        "Raspberry Pi 500",
        "BCM2712",
        "8 or 16 GB",
        _PMIC,
        "raspberrypi,500",
        "Raspberry Pi 500",
    ),
    KnownBoard(
        "Raspberry Pi Compute Module 5",
        "BCM2712",
        "2, 4, 8 or 16 GB",
        _PMIC,
        "raspberrypi,5-compute-module",
        "Raspberry Pi Compute Module 5",
    ),
    KnownBoard(
        "NVIDIA Jetson Nano",
        "Tegra X1 (T210)",
        "2 or 4 GB",
        _INA3221,
        r"nvidia,jetson-nano|nvidia,p3450-0000",
        "NVIDIA Jetson Nano",
    ),
    KnownBoard(
        "NVIDIA Jetson TX2",
        "Tegra X2 (T186)",
        "4 or 8 GB",
        _INA3221,
        r"nvidia,p2771-0000(-.+)?",
    ),
    KnownBoard(
        "NVIDIA Jetson Xavier NX",
        "Xavier (T194)",
        "8 or 16 GB",
        _VDD_IN,
        r"nvidia,(p3509-0000(-.+)?\+)?p3668-\d{4}(-.+)?",
    ),
    KnownBoard(
        "NVIDIA Jetson AGX Xavier",
        "Xavier (T194)",
        "16, 32 or 64 GB",
        _INA3221,
        r"nvidia,(p2972-0000(-.+)?|p2822-0000\+p2888-\d{4})",
    ),
    KnownBoard(
        "NVIDIA Jetson Orin Nano 8GB",
        "Orin (T234)",
        "8 GB",
        _VDD_IN,
        r"nvidia,(p\d{4}-\d{4}\+)?p3767-000[35](-super)?",
    ),
    KnownBoard(
        "NVIDIA Jetson Orin Nano 4GB",
        "Orin (T234)",
        "4 GB",
        _VDD_IN,
        r"nvidia,(p\d{4}-\d{4}\+)?p3767-0004(-super)?",
    ),
    KnownBoard(
        "NVIDIA Jetson Orin NX 16GB",
        "Orin (T234)",
        "16 GB",
        _VDD_IN,
        r"nvidia,(p\d{4}-\d{4}\+)?p3767-0000(-super)?",
    ),
    KnownBoard(
        "NVIDIA Jetson Orin NX 8GB",
        "Orin (T234)",
        "8 GB",
        _VDD_IN,
        r"nvidia,(p\d{4}-\d{4}\+)?p3767-0001(-super)?",
    ),
    KnownBoard(
        "NVIDIA Jetson AGX Orin",
        "Orin (T234)",
        "32 or 64 GB",
        _INA3221,
        r"nvidia,(p3737-0000\+)?p3701-\d{4}",
        "NVIDIA Jetson AGX Orin",
    ),
    KnownBoard("Radxa ROCK 5A", "RK3588S", "4, 8, 16 or 32 GB", _NO_SENSOR, "radxa,rock-5a"),
    KnownBoard("Radxa ROCK 5B", "RK3588", "4, 8, 16 or 32 GB", _NO_SENSOR, "radxa,rock-5b"),
    KnownBoard("Orange Pi 5", "RK3588S", "4, 8, 16 or 32 GB", _NO_SENSOR, "xunlong,orangepi-5b?"),
    KnownBoard(
        "Orange Pi 5 Plus", "RK3588", "4, 8, 16 or 32 GB", _NO_SENSOR, "xunlong,orangepi-5-plus"
    ),
    KnownBoard("PINE64 ROCKPro64", "RK3399", "2 or 4 GB", _NO_SENSOR, "pine64,rockpro64(-v.+)?"),
    KnownBoard("Khadas VIM3", "A311D", "2 or 4 GB", _NO_SENSOR, "khadas,vim3"),
    KnownBoard("ODROID-N2", "S922X", "2 or 4 GB", _NO_SENSOR, "hardkernel,odroid-n2"),
    KnownBoard("ODROID-N2+", "S922X", "2 or 4 GB", _NO_SENSOR, "hardkernel,odroid-n2-plus"),
    KnownBoard("ODROID-C4", "S905X3", "4 GB", _NO_SENSOR, "hardkernel,odroid-c4"),
    KnownBoard("Coral Dev Board", "i.MX 8M", "1 or 4 GB", _NO_SENSOR, "google,imx8mq-phanbell"),
    KnownBoard("NXP i.MX 8M Plus EVK", "i.MX 8M Plus", "6 GB", _NO_SENSOR, "fsl,imx8mp-evk"),
    KnownBoard("BeaglePlay", "AM625", "2 GB", _NO_SENSOR, "beagle,am625-beagleplay"),
    KnownBoard("BeagleBone AI-64", "TDA4VM", "4 GB", _NO_SENSOR, "beagle,j721e-beagleboneai64"),
)


def known_board(compatible: Iterable[str], model: str) -> KnownBoard | None:
    """By the device tree's strings, the most specific first; else by the firmware's name."""
    for text in compatible:
        for board in KNOWN_BOARDS:
            if re.fullmatch(board.compatible, text):
                return board
    for board in KNOWN_BOARDS:
        if board.model and f"{model} ".startswith(board.model):
            return board
    return None
