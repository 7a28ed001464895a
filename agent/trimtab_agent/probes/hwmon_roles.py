"""What the power and energy channels of known hwmon chips stand for: data, the first match counts.

From the kernel's Documentation/hwmon (amd_energy, corsair-psu, acpi_power_meter, pmbus-core,
fam15h_power), Documentation/gpu/amdgpu and ABI/testing/sysfs-driver-intel-{i915,xe}-hwmon. What
stands nowhere has no role: the user may know more (``sensor-roles.json``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.probes.board_rails import UNKNOWN, Rail
from trimtab_agent.probes.sysfs import read_text


@dataclass(frozen=True)
class ChipRule:
    """``chip`` and ``label`` are regular expressions of the whole text; ``marker``: a file of the
    chip's and the text it must have."""

    chip: str
    label: str
    rail: Rail
    marker: tuple[str, str] | None = None


_GPU = Rail("addend", "a graphics card, beside the processor's figure")
_IN_PROCESSOR = Rail("part", "in the processor's figure already")
_IN_CARD = Rail("part", "in the card's figure already")

RULES = (
    ChipRule("amd_energy", r"Esocket\d+", Rail("addend", "a processor; not the memory modules")),
    ChipRule("amd_energy", r"Ecore\d+", _IN_PROCESSOR),
    ChipRule("fam15h_power", ".*", Rail("addend", "a processor; not the memory modules")),
    ChipRule("zenpower|zenergy", ".*", _IN_PROCESSOR),
    # Only a processor's own graphics has a "northbridge" voltage.
    ChipRule("amdgpu", ".*", _IN_PROCESSOR, ("in1_label", "vddnb")),
    # What the chip takes; the card's memory and fan are not told.
    ChipRule("amdgpu", ".*", Rail("addend", "a graphics chip, beside the processor's figure")),
    ChipRule("nouveau", ".*", _GPU),
    ChipRule("xe", "pkg", _IN_CARD),
    ChipRule("xe|i915", "card|power1|energy1", _GPU),
    ChipRule("i915_gt.*", ".*", _IN_CARD),
    ChipRule(
        "corsairpsu",
        "power total",
        Rail("total", "all that this power supply feeds, without the supply's own losses"),
    ),
    ChipRule("corsairpsu", ".*", Rail("part", "in the power supply's total already")),
    ChipRule(
        "power_meter", ".*", Rail("total", "what the firmware's meter covers: the whole machine")
    ),
    # A regulator's input is the device's only where that regulator feeds all of it.
    ChipRule(".*", r"pin\d*", Rail(None, "a regulator's input")),
    ChipRule(".*", r"pout\d*", Rail("other", "a regulator's output")),
)


def chip_rail(chip: Path, chip_name: str, label: str) -> Rail:
    for rule in RULES:
        named = re.fullmatch(rule.chip, chip_name) and re.fullmatch(rule.label, label)
        if named and (rule.marker is None or read_text(chip / rule.marker[0]) == rule.marker[1]):
            return rule.rail
    return UNKNOWN
