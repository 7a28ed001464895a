"""Which rail of which board is the whole, which is to be added up, and which lies in another.

Data, by the system on chip in the device tree's ``compatible``: that stays the same on third-party
carrier boards, and the modules of one chip have rails of different names. The names are those of
NVIDIA's device trees; how the rails stand to one another is from NVIDIA's Jetson Linux Developer
Guide (power and performance) and from the answers of its staff in its forum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.probes.sysfs import read_text
from trimtab_agent.records import SensorRole


@dataclass(frozen=True)
class Rail:
    """``role`` None: how it stands to the rest is not known. ``covers`` completes "NAME: ..."."""

    role: SensorRole | None
    covers: str = ""


_MODULE = Rail("total", "the whole module; what the carrier board itself takes is not in it")
_IN_TOTAL = Rail("part", "in the input rail already")
_CARRIER = Rail("other", "of the carrier board")

_TX2 = {
    "VDD_IN": _MODULE,
    "VDD_SYS_GPU": _IN_TOTAL,
    "VDD_SYS_SOC": _IN_TOTAL,
    "VDD_SYS_CPU": _IN_TOTAL,
    "VDD_SYS_DDR": _IN_TOTAL,
    "VDD_5V0_DDR": _IN_TOTAL,
    "VDD_4V0_WIFI": _IN_TOTAL,
    "VDD_3V8_WIFI": _IN_TOTAL,
    "VDD_MUX": _CARRIER,
    "VDD_5V0_IO_SYS": _CARRIER,
    "VDD_3V3_SYS": _CARRIER,
    "VDD_3V3_IO_SLP": _CARRIER,
    "VDD_1V8_IO": _CARRIER,
    "VDD_M2_IN": _CARRIER,
}
_XAVIER_NX = {"VDD_IN": _MODULE, "VDD_CPU_GPU_CV": _IN_TOTAL, "VDD_SOC": _IN_TOTAL}
_AGX_XAVIER = {
    "GPU": Rail("addend", "the GPU"),
    "CPU": Rail("addend", "the processor cores"),
    "SOC": Rail("addend", "the rest of the chip"),
    "CV": Rail("addend", "the accelerators for deep learning and vision"),
    "VDDRQ": Rail("addend", "the memory"),
    "SYS5V": Rail("addend", "the module's 5 V rail; the carrier board is not in it"),
}
_ORIN_NX = _XAVIER_NX
_AGX_ORIN = {
    "VDD_GPU_SOC": Rail("addend", "the GPU and the rest of the chip"),
    "VDD_CPU_CV": Rail("addend", "the processor cores and the accelerators for vision"),
    "VIN_SYS_5V0": Rail("addend", "the module's 5 V rail; the carrier board is not in it"),
    "VDDQ_VDD2_1V8AO": Rail("part", "the memory, in VIN_SYS_5V0 already"),
    "CVB_ATX_12V": _CARRIER,
    "CVB_ATX_3V3": _CARRIER,
    "CVB_ATX_5V": _CARRIER,
}
_IN_VIN = Rail("part", "in VIN already")

RAILS_BY_CHIP: Mapping[str, Mapping[str, Rail]] = {
    # Jetson Nano: its input rail is that of the whole board. Jetson TX1: as TX2.
    "nvidia,tegra210": {
        "POM_5V_IN": Rail("total", "the whole board, from its 5 V input"),
        "POM_5V_GPU": _IN_TOTAL,
        "POM_5V_CPU": _IN_TOTAL,
        "VDD_IN": _MODULE,
        "VDD_GPU": _IN_TOTAL,
        "VDD_CPU": _IN_TOTAL,
    },
    "nvidia,tegra186": _TX2,
    "nvidia,tegra194": {**_XAVIER_NX, **_AGX_XAVIER},
    "nvidia,tegra234": {**_ORIN_NX, **_AGX_ORIN},
    # Jetson Thor: VIN is measured on the developer kit's carrier board; a board without it has no
    # total, since how the module's three rails stand to one another is not published.
    "nvidia,tegra264": {
        "VIN": Rail("total", "the whole developer kit, module and carrier board"),
        "VDD_GPU": _IN_VIN,
        "VDD_CPU_SOC_MSS": _IN_VIN,
        "VIN_SYS_5V0": _IN_VIN,
    },
}
UNKNOWN = Rail(None)
# What NVIDIA's device trees call an input that is not connected.
NOT_CONNECTED = "NC"


def compatibles(root: Path) -> tuple[str, ...]:
    """The device tree's names for the board, the most special first; empty without a tree."""
    text = read_text(root / "proc/device-tree/compatible") or ""
    return tuple(name for name in text.split("\x00") if name)


def board_rail(root: Path, label: str) -> Rail:
    for name in compatibles(root):
        rail = RAILS_BY_CHIP.get(name, {}).get(label)
        if rail is not None:
            return rail
    return UNKNOWN
