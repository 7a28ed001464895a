"""What the board is called: by Android, by the device tree, by DMI, in that order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.boards.android import (
    android_model,
    android_properties,
    android_release,
    android_soc,
    is_android,
)
from trimtab_agent.boards.known import KnownBoard, known_board
from trimtab_agent.probes.board_rails import compatibles
from trimtab_agent.probes.commands import Runner, run_command
from trimtab_agent.probes.sysfs import read_text

_DMI = "sys/class/dmi/id"
# What makers of boards write who did not fill the field in.
_NOT_FILLED_IN = frozenset(
    {
        "",
        "to be filled by o.e.m.",
        "system product name",
        "system manufacturer",
        "default",
        "default string",
        "not applicable",
        "not specified",
        "none",
        "o.e.m.",
        "unknown",
    }
)


@dataclass(frozen=True)
class BoardName:
    """``model``, ``soc``: as firmware writes them, "" where it does not tell; ``source``: who told.

    ``known``: the entry of Trimtab's own table. ``os_release``: of Android alone, else "".
    """

    model: str
    soc: str
    source: str
    known: KnownBoard | None = None
    os_release: str = ""


def name_board(root: Path, run: Runner = run_command) -> BoardName:
    """Empty texts on most virtual machines."""
    properties = android_properties(root, run) if is_android(root) else {}
    model, soc = android_model(properties), android_soc(properties)
    if model or soc:
        return BoardName(model, soc, "Android properties", None, android_release(properties))
    compatible = compatibles(root)
    model = read_text(root / "proc/device-tree/model") or ""
    if model or compatible:
        soc = compatible[-1] if compatible else _soc_bus(root)
        known = known_board(compatible, model)
        return BoardName(model or (known.name if known else ""), soc, "device tree", known)
    model = dmi_model(root)
    return BoardName(model, _soc_bus(root), "DMI" if model else "", known_board((), model))


def dmi_model(root: Path) -> str:
    """Maker and product, or its mainboard where the product's name was not filled in."""
    vendor, product, board = (
        _dmi(root, field) for field in ("sys_vendor", "product_name", "board_name")
    )
    return " ".join(name for name in (vendor, product or board) if name)


def _dmi(root: Path, field: str) -> str:
    text = read_text(root / _DMI / field) or ""
    return "" if text.lower() in _NOT_FILLED_IN else text


def _soc_bus(root: Path) -> str:
    """The kernel's soc bus (ABI/testing/sysfs-devices-soc)."""
    return read_text(root / "sys/devices/soc0/soc_id") or ""
