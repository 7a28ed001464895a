"""What the firmware and the processor say of throttling.

Raspberry Pi: ``get_throttled`` of the firmware driver, a hexadecimal mask whose bits 0 to 3 hold
now (those from 16 on: since boot). x86: counters per core that only grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trimtab_agent.probes.sysfs import folders, read_int, read_text

_FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
_COUNTERS = "cpu[0-9]*/thermal_throttle/core_throttle_count"
_LIVE_BITS = {
    0: "under-voltage",
    1: "frequency capped",
    2: "throttled",
    3: "soft temperature limit",
}
_SINCE_BOOT = 16


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
    mask = _mask(root)
    cores = folders(root / "sys/devices/system/cpu", _COUNTERS)
    counts = [count for path in cores if (count := read_int(path)) is not None]
    if mask is None and not counts:
        return None
    active, since_boot = _flags(mask or 0), _flags((mask or 0) >> _SINCE_BOOT)
    return ThrottleState(active, sum(counts) if counts else None, since_boot)


def _flags(mask: int) -> tuple[str, ...]:
    return tuple(name for bit, name in _LIVE_BITS.items() if mask >> bit & 1)


def _mask(root: Path) -> int | None:
    try:
        return int(read_text(root / _FIRMWARE) or "", 16)
    except ValueError:
        return None
