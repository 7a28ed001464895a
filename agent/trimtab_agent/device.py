"""What this device is, and what is true on it now. ``root`` is "/" on a device."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path

import psutil

from trimtab_agent.boards.bits import word_size
from trimtab_agent.boards.facts import hardware_facts
from trimtab_agent.boards.naming import name_board
from trimtab_agent.bounded import ANSWER_S, NoAnswer, within
from trimtab_agent.cpus import clusters, cpu_model, frequencies_mhz, governors
from trimtab_agent.identity import identify
from trimtab_agent.paging import meminfo
from trimtab_agent.power_mode import boost, jetson_clocks, power_mode
from trimtab_agent.probes.android_thermal import thermal_condition
from trimtab_agent.probes.clocks import cluster_settings
from trimtab_agent.probes.power_supply import power_source
from trimtab_agent.probes.registry import sensors_with_gaps
from trimtab_agent.probes.sysfs import read_text
from trimtab_agent.probes.thermal import hottest_zone
from trimtab_agent.probes.throttling import throttle_state
from trimtab_agent.records import DeviceInfo, RuntimeInfo

_ROOT = Path("/")
_CONDITIONS = (
    *("governor", "power_mode", "boost", "frequency_mhz", "temperature_c", "load_average_1m"),
    *("memory_available_mb", "power_source", "throttling"),
)


def describe_device(root: Path = _ROOT, runtimes: tuple[RuntimeInfo, ...] = ()) -> DeviceInfo:
    """Static facts; fields are empty or 0 where the firmware or the kernel does not tell."""
    board = name_board(root)
    return DeviceInfo(
        device_id=identify(root).device_id,
        display_name=read_text(root / "etc/hostname") or platform.node(),
        board_model=board.model,
        soc=board.soc,
        cpu_model=cpu_model(root),
        machine_arch=platform.machine(),
        os_release=board.os_release or os_release(root),
        kernel_release=read_text(root / "proc/sys/kernel/osrelease") or platform.release(),
        python_version=platform.python_version(),
        memory_bytes=memory_bytes(root),
        cpu_clusters=clusters(root),
        boot_id=boot_id(root),
        tuning=tuning(root),
        runtimes=runtimes,
        sensors=sensors_with_gaps(root),
        hardware=hardware_facts(root),
    )


def conditions(root: Path = _ROOT) -> dict[str, str]:
    """What is true now and moves figures.

    "unknown: reason" where the device does not tell; "none: reason" where it has no such thing.
    What only one kind of device has (a Jetson, Android) is left out on others.
    """
    found = {
        "governor": governors(root),
        "power_mode": power_mode(root),
        "boost": boost(root),
        "frequency_mhz": frequencies_mhz(root),
        "temperature_c": temperature_c(root),
        "load_average_1m": _load_average(root),
        "memory_available_mb": _memory_available_mb(root),
        "power_source": power_source(root),
        "throttling": _throttling(root),
        "jetson_clocks": jetson_clocks(root),
        "android_thermal_status": thermal_condition(root),
        **cluster_settings(root),
    }
    return {name: text for name, text in found.items() if text is not None}


async def look_around(root: Path = _ROOT) -> dict[str, str]:
    """:func:`conditions`; each of those that every device has is unknown where a driver hangs."""
    try:
        return await within(ANSWER_S, conditions, root)
    except NoAnswer:
        reason = f"unknown: a driver did not answer within {ANSWER_S:g} s"
        return dict.fromkeys(_CONDITIONS, reason)


def tuning(root: Path) -> Mapping[str, str]:
    """Settings that change numbers, and on what the identity stands where not on a machine id."""
    optional = {"power_mode": power_mode(root), "boost": boost(root)}
    there = {name: text for name, text in optional.items() if not text.startswith("none")}
    settings = {"governor": governors(root), **there}
    clocks, bits = jetson_clocks(root), word_size(root)
    if clocks is not None and not clocks.startswith("unknown"):
        settings["jetson_clocks"] = clocks
    if bits.mixed:
        settings["bits"] = str(bits)
    fallback = identify(root).fallback
    if fallback:
        settings["device_id_from"] = fallback
    return settings


def board_model(root: Path) -> str:
    """By Android, the device tree or DMI; "" on most virtual machines."""
    return name_board(root).model


def system_on_chip(root: Path) -> str:
    """The device tree's most general name ("brcm,bcm2712"); on Android its market name."""
    return name_board(root).soc


def os_release(root: Path) -> str:
    for line in (read_text(root / "etc/os-release") or "").splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip("\"'")
    return f"{platform.system()} {platform.release()}"


def memory_bytes(root: Path) -> int:
    total = meminfo(root).get("MemTotal")
    return total if total is not None else int(psutil.virtual_memory().total)


def boot_id(root: Path) -> str:
    """Changes on every boot; where the kernel has no boot id, from the time of the boot."""
    known = read_text(root / "proc/sys/kernel/random/boot_id")
    return known or f"booted-{int(psutil.boot_time())}"


def temperature_c(root: Path) -> str:
    """The hottest thermal zone."""
    hottest = hottest_zone(root)
    if hottest is None:
        return "unknown: no thermal zone in /sys/class/thermal"
    return f"{hottest.celsius:.1f} ({hottest.scope})"


def _throttling(root: Path) -> str:
    state = throttle_state(root)
    if state is None:
        return "unknown: neither firmware nor kernel tells"
    return ", ".join(state.active) or "not now"


def _load_average(root: Path) -> str:
    text = read_text(root / "proc/loadavg")
    if text:
        return text.split()[0]
    return f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown: not told here"


def _memory_available_mb(root: Path) -> str:
    available = meminfo(root).get("MemAvailable")
    if available is None:
        return "unknown: no MemAvailable in /proc/meminfo"
    return str(available // 1_000_000)
