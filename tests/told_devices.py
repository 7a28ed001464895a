"""What a device tells of itself, where a test cares about a part of it only."""

from __future__ import annotations

from typing import Any

from trimtab.fleet.jobs import DeviceInfo


def told(**facts: Any) -> DeviceInfo:
    """``facts``: fields of DeviceInfo; every other text is empty, every other number one."""
    texts = (
        *("device_id", "display_name", "board_model", "soc", "cpu_model", "machine_arch"),
        *("os_release", "kernel_release", "python_version", "agent_version", "boot_id"),
    )
    numbers = ("memory_bytes", "cpu_count", "max_frequency_hz", "max_chunk_bytes")
    rest: dict[str, Any] = {"tuning": {}, "runtimes": (), "sensors": ()}
    return DeviceInfo(**{**dict.fromkeys(texts, ""), **dict.fromkeys(numbers, 1), **rest, **facts})
