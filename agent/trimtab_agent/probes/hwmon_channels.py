"""The power and energy channels of one hwmon chip, and what stands in for them.

Where a chip tells current and voltage alone, their product is its power. That needs to know which
voltage belongs to which current: by number for the few chips listed here, whose further channels
are shunt voltages and sums (Documentation/hwmon/ina3221), by label for PMBus ("iin" and "vin").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.probes.sysfs import folders, read_int, read_text
from trimtab_agent.records import SensorKind

_SAME_NUMBERS = {"ina3221": (1, 2, 3), "ltc4151": (1,)}
# Their power is a mean of many conversions; a pair of conversions takes 2.2 ms, which the driver
# tells as 2 (drivers/hwmon/ina2xx.c).
_AVERAGING = {"ina226", "ina230", "ina231", "ina260"}
_ONE_CONVERSION_MS = 2
_POWER_FILE = re.compile(r"(power|energy)(\d+)_(input|average)")
# The best first: a counter misses nothing, and a mean less than a glance.
_ORDER = ("energy{}_input", "power{}_average", "power{}_input")


@dataclass(frozen=True)
class Channel:
    """``files``: one of power or energy, or one of current and one of voltage. ``rail``: the same
    for all that tell of the same thing. ``interval``: the file that tells how often it is new."""

    name: str
    label: str
    kind: SensorKind
    files: tuple[Path, ...]
    rail: str
    interval: Path


def power_channels(chip: Path, chip_name: str) -> list[Channel]:
    told = [channel for number in _numbers(chip) for channel in _told(chip, chip_name, number)]
    have = {label for channel in told for label in (channel.label, channel.rail)}
    products = [*_by_number(chip, chip_name), *_by_label(chip)]
    return told + [each for each in products if not {each.label, each.rail} & have]


def _numbers(chip: Path) -> list[int]:
    matches = (_POWER_FILE.fullmatch(file.name) for file in folders(chip, "*"))
    return sorted({int(match[2]) for match in matches if match is not None})


def _told(chip: Path, chip_name: str, number: int) -> Iterator[Channel]:
    for form in _ORDER:
        file = chip / form.format(number)
        if not file.exists():
            continue
        quantity, _, ending = file.name.rpartition("_")
        kind: SensorKind = "averaged" if ending == "average" else _kind(chip, chip_name)
        own = chip / f"{quantity}_average_interval"
        yield Channel(
            name=file.name,
            label=read_text(chip / f"{quantity}_label") or read_text(chip / "label") or quantity,
            kind="counter" if quantity.startswith("energy") else kind,
            files=(file,),
            rail=str(number),
            interval=own if ending == "average" and own.exists() else chip / "update_interval",
        )


def _kind(chip: Path, chip_name: str) -> SensorKind:
    interval_ms = read_int(chip / "update_interval") or 0
    averages = chip_name in _AVERAGING and interval_ms > _ONE_CONVERSION_MS
    return "averaged" if averages or (read_int(chip / "samples") or 1) > 1 else "instantaneous"


def _by_number(chip: Path, chip_name: str) -> Iterator[Channel]:
    for number in _SAME_NUMBERS.get(chip_name, ()):
        label = read_text(chip / f"in{number}_label") or f"power{number}"
        yield from _product(chip, (number, number), label, str(number), _kind(chip, chip_name))


def _by_label(chip: Path) -> Iterator[Channel]:
    voltages = {read_text(file): file for file in folders(chip, "in*_label")}
    for file in folders(chip, "curr*_label"):
        match = re.fullmatch(r"i((?:in|out)\d*)", read_text(file) or "")
        voltage = voltages.get(f"v{match[1]}") if match is not None else None
        if match is not None and voltage is not None:
            numbers = int(file.name[4:-6]), int(voltage.name[2:-6])
            yield from _product(chip, numbers, f"p{match[1]}", f"p{match[1]}", "instantaneous")


def _product(
    chip: Path, numbers: tuple[int, int], label: str, rail: str, kind: SensorKind
) -> Iterator[Channel]:
    """``numbers``: of the current and of the voltage."""
    current, voltage = chip / f"curr{numbers[0]}_input", chip / f"in{numbers[1]}_input"
    if current.exists() and voltage.exists():
        name = f"curr{numbers[0]}_times_in{numbers[1]}"
        yield Channel(name, label, kind, (current, voltage), rail, chip / "update_interval")
