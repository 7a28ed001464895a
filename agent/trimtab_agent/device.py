"""What this device is, and what is true on it now. ``root`` is "/" on a device."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path

import psutil

from trimtab_agent.cpus import clusters, cpu_model, frequencies_mhz, governors
from trimtab_agent.identity import identify
from trimtab_agent.paging import meminfo
from trimtab_agent.power_mode import boost, power_mode
from trimtab_agent.probes.power_supply import power_source
from trimtab_agent.probes.registry import sensors_with_gaps
from trimtab_agent.probes.sysfs import read_text
from trimtab_agent.probes.thermal import hottest_zone
from trimtab_agent.probes.throttling import throttle_state
from trimtab_agent.records import DeviceInfo, RuntimeInfo

_ROOT = Path("/")
# What makers of boards write who did not fill the field in.
_NO_MODEL = {"", "To Be Filled By O.E.M.", "System Product Name", "System manufacturer", "Default"}


def describe_device(root: Path = _ROOT, runtimes: tuple[RuntimeInfo, ...] = ()) -> DeviceInfo:
    """Static facts; fields are empty or 0 where the firmware or the kernel does not tell."""
    return DeviceInfo(
        device_id=identify(root).device_id,
        display_name=read_text(root / "etc/hostname") or platform.node(),
        board_model=board_model(root),
        soc=system_on_chip(root),
        cpu_model=cpu_model(root),
        machine_arch=platform.machine(),
        os_release=os_release(root),
        kernel_release=read_text(root / "proc/sys/kernel/osrelease") or platform.release(),
        python_version=platform.python_version(),
        memory_bytes=memory_bytes(root),
        cpu_clusters=clusters(root),
        boot_id=boot_id(root),
        tuning=tuning(root),
        runtimes=runtimes,
        sensors=sensors_with_gaps(root),
    )


def conditions(root: Path = _ROOT) -> dict[str, str]:
    """What is true now and moves figures.

    "unknown: reason" where the device does not tell; "none: reason" where it has no such thing.
    """
    return {
        "governor": governors(root),
        "power_mode": power_mode(root),
        "boost": boost(root),
        "frequency_mhz": frequencies_mhz(root),
        "temperature_c": temperature_c(root),
        "load_average_1m": _load_average(root),
        "memory_available_mb": _memory_available_mb(root),
        "power_source": power_source(root),
        "throttling": _throttling(root),
    }


def tuning(root: Path) -> Mapping[str, str]:
    """Settings that change numbers, and on what the identity stands where not on a machine id."""
    optional = {"power_mode": power_mode(root), "boost": boost(root)}
    there = {name: text for name, text in optional.items() if not text.startswith("none")}
    settings = {"governor": governors(root), **there}
    fallback = identify(root).fallback
    if fallback:
        settings["device_id_from"] = fallback
    return settings


def board_model(root: Path) -> str:
    """From the device tree, else DMI; "" on most virtual machines."""
    model = read_text(root / "proc/device-tree/model")
    if model:
        return model
    names = (
        read_text(root / "sys/class/dmi/id/sys_vendor") or "",
        read_text(root / "sys/class/dmi/id/product_name") or "",
    )
    return " ".join(name for name in names if name not in _NO_MODEL)


def system_on_chip(root: Path) -> str:
    """The last, most general of the device tree's "compatible" ("brcm,bcm2712")."""
    compatible = read_text(root / "proc/device-tree/compatible")
    if compatible:
        return compatible.split("\x00")[-1]
    return read_text(root / "sys/devices/soc0/soc_id") or ""


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
