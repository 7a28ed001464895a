"""What must be true of the device before a job is begun: disk, memory, battery, temperature."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.boards.android import is_android
from trimtab_agent.bounded import ANSWER_S, NoAnswer, within
from trimtab_agent.paging import meminfo
from trimtab_agent.probes.commands import CommandError
from trimtab_agent.probes.power_supply import batteries
from trimtab_agent.probes.sysfs import read_int
from trimtab_agent.probes.termux import read_battery
from trimtab_agent.probes.thermal import hottest_zone
from trimtab_agent.records import HealthGate

_MEGABYTE = 1e6


@dataclass(frozen=True)
class GateReport:
    """``unmet``: each with what was seen and what would help. ``untold``: what nobody can see."""

    unmet: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()


async def examine(gate: HealthGate, root: Path, folder: Path) -> GateReport:
    """``folder``: on the disk that is meant. A figure whose driver hangs is not told."""
    checks: list[tuple[str, float, Callable[[], GateReport]]] = [
        ("disk", gate.min_disk_free_bytes, lambda: _disk(gate, folder)),
        ("memory", gate.min_memory_available_bytes, lambda: _memory(gate, root)),
        ("battery", gate.min_battery_percent, lambda: _battery(gate, root)),
        ("temperature", gate.max_temperature_c, lambda: _temperature(gate, root)),
    ]
    reports = [await _bounded(name, check) for name, asked, check in checks if asked]
    return GateReport(
        tuple(text for report in reports for text in report.unmet),
        tuple(text for report in reports for text in report.untold),
    )


async def _bounded(name: str, check: Callable[[], GateReport]) -> GateReport:
    try:
        return await within(ANSWER_S, check)
    except NoAnswer:
        return _untold(f"{name}: nothing answered within {ANSWER_S:g} s")
    except OSError as error:
        return _untold(f"{name}: {error.strerror or error}")


def _disk(gate: HealthGate, folder: Path) -> GateReport:
    free = shutil.disk_usage(folder).free
    if free >= gate.min_disk_free_bytes:
        return GateReport()
    return _unmet(
        f"{_mb(free)} of the disk are free, {_mb(gate.min_disk_free_bytes)} are asked for: "
        "free some room on the device"
    )


def _memory(gate: HealthGate, root: Path) -> GateReport:
    available = meminfo(root).get("MemAvailable")
    if available is None:
        return _untold("memory: no MemAvailable in /proc/meminfo")
    if available >= gate.min_memory_available_bytes:
        return GateReport()
    return _unmet(
        f"{_mb(available)} of memory are available, {_mb(gate.min_memory_available_bytes)} are "
        "asked for: end other programs on the device"
    )


def _battery(gate: HealthGate, root: Path) -> GateReport:
    levels = [read_int(battery / "capacity") for battery in batteries(root)]
    told: list[float] = [level for level in levels if level is not None]
    if not told and is_android(root):
        told = _termux_level(root)
    if not told:
        return _untold("battery: the device tells no battery's level")
    if min(told) >= gate.min_battery_percent:
        return GateReport()
    asked = f"{gate.min_battery_percent:g} % are asked for"
    return _unmet(f"the battery is at {min(told):g} %, {asked}: charge it")


def _termux_level(root: Path) -> list[float]:
    try:
        level = read_battery(root).capacity
    except CommandError:
        return []
    return [] if level is None else [level]


def _temperature(gate: HealthGate, root: Path) -> GateReport:
    hottest = hottest_zone(root)
    if hottest is None:
        return _untold("temperature: no thermal zone in /sys/class/thermal")
    if hottest.celsius <= gate.max_temperature_c:
        return GateReport()
    return _unmet(
        f"the device is at {hottest}, at most {gate.max_temperature_c:g} °C are asked for: let it "
        "cool down, or cool it better"
    )


def _unmet(text: str) -> GateReport:
    return GateReport(unmet=(text,))


def _untold(text: str) -> GateReport:
    return GateReport(untold=(text,))


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / _MEGABYTE:.0f} MB"
