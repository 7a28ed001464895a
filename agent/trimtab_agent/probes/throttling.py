"""What the firmware, the processor and the kernel say of throttling.

Raspberry Pi: ``get_throttled`` of the firmware driver, a hexadecimal mask whose bits 0 to 3 hold
now (those from 16 on: since boot). x86: counters per core that only grow. Jetson Orin: counters of
over-current and under-voltage events (hwmon "soctherm_oc") that only grow. Arm in general: the
kernel's own cap of the frequency for heat, as the state of its cooling devices
(ABI/testing/sysfs-class-thermal).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.probes.sysfs import folders, read_int, read_text

_PLATFORM = "sys/devices/platform"
_FIRMWARE = "soc/soc:firmware/get_throttled"
_FIRMWARE_BY_ADDRESS = "soc@*/soc@*:firmware/get_throttled"  # of a Raspberry Pi 5
_COUNTERS = "cpu[0-9]*/thermal_throttle/core_throttle_count"
_JETSON_CHIP = "soctherm_oc"
_JETSON_COUNTERS = "oc[0-9]*_event_cnt"
# x86's "Processor" is not among them: a virtual machine has it too, where nothing works it.
_CPU_COOLING = ("cpufreq-", "thermal-cpufreq-")
_CAPPED = "frequency capped"
_LIVE_BITS = {
    0: "under-voltage",
    1: _CAPPED,
    2: "throttled",
    3: "soft temperature limit",
}
_SINCE_BOOT = 16
LIVE_FLAGS = tuple(_LIVE_BITS.values())


@dataclass(frozen=True)
class ThrottleState:
    """``active``: flags that hold now; ``count``: throttlings since boot, None if not counted.

    ``since_boot``: flags that held at any time since.
    """

    active: tuple[str, ...] = ()
    count: int | None = None
    since_boot: tuple[str, ...] = ()


def throttle_state(root: Path) -> ThrottleState | None:
    """None where neither firmware nor kernel tells."""
    mask, counts = _mask(root), [*_core_counts(root), *_jetson_counts(root)]
    capped = _capped_by_kernel(root)
    if mask is None and capped is None and not counts:
        return None
    active, since_boot = _flags(mask or 0), _flags((mask or 0) >> _SINCE_BOOT)
    if capped and _CAPPED not in active:
        active = (*active, _CAPPED)
    return ThrottleState(active, sum(counts) if counts else None, since_boot)


def _flags(mask: int) -> tuple[str, ...]:
    return tuple(name for bit, name in _LIVE_BITS.items() if mask >> bit & 1)


def _mask(root: Path) -> int | None:
    platform = root / _PLATFORM
    for path in (platform / _FIRMWARE, *folders(platform, _FIRMWARE_BY_ADDRESS)):
        try:
            return int(read_text(path) or "", 16)
        except ValueError:
            continue
    return None


def _core_counts(root: Path) -> list[int]:
    cores = folders(root / "sys/devices/system/cpu", _COUNTERS)
    return [count for path in cores if (count := read_int(path)) is not None]


def _jetson_counts(root: Path) -> list[int]:
    """Of those events for which the hardware lowers the clocks (oc*_throt_en)."""
    found = []
    for chip in folders(root / "sys/class/hwmon", "hwmon*"):
        if read_text(chip / "name") != _JETSON_CHIP:
            continue
        for file in folders(chip, _JETSON_COUNTERS):
            slows = read_int(chip / file.name.replace("_event_cnt", "_throt_en"))
            if slows != 0 and (count := read_int(file)) is not None:
                found.append(count)
    return found


def _capped_by_kernel(root: Path) -> bool | None:
    """None where the kernel has no cooling device that caps the processors' frequency."""
    states = [
        state
        for device in folders(root / "sys/class/thermal", "cooling_device*")
        if (read_text(device / "type") or "").startswith(_CPU_COOLING)
        and (state := read_int(device / "cur_state")) is not None
    ]
    return any(state > 0 for state in states) if states else None
