"""A board's kernel files below a root of ours, more of them than boards have."""

from __future__ import annotations

from pathlib import Path

_CORES = 8
_ZONES = 12
_MONITORS = 4
_CHANNELS = 3


def lay_sensor_tree(root: Path) -> None:
    """Eight cores with their frequency and throttling counter, twelve thermal zones, four power
    monitors of three channels, a battery, and the Raspberry Pi's firmware flags."""
    for name, content in _files().items():
        path = root / "sys" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n", encoding="utf-8")


def _files() -> dict[str, str]:
    files = {
        "devices/platform/soc/soc:firmware/get_throttled": "0",
        "class/power_supply/BAT0/type": "Battery",
        "class/power_supply/BAT0/power_now": "4200000",
        "class/power_supply/BAT0/capacity": "77",
    }
    for core in range(_CORES):
        cpu = f"devices/system/cpu/cpu{core}"
        policy = f"devices/system/cpu/cpufreq/policy{core}"
        files[f"{cpu}/thermal_throttle/core_throttle_count"] = "0"
        files[f"{policy}/related_cpus"] = str(core)
        files[f"{policy}/scaling_cur_freq"] = "2400000"
        files[f"{policy}/scaling_governor"] = "performance"
    for zone in range(_ZONES):
        files[f"class/thermal/thermal_zone{zone}/temp"] = str(40_000 + zone)
        files[f"class/thermal/thermal_zone{zone}/type"] = f"zone-{zone}"
    for monitor in range(_MONITORS):
        chip = f"class/hwmon/hwmon{monitor}"
        files[f"{chip}/name"] = "ina3221"
        for channel in range(1, _CHANNELS + 1):
            files[f"{chip}/power{channel}_input"] = "2500000"
            files[f"{chip}/energy{channel}_input"] = "7000000"
            files[f"{chip}/temp{channel}_input"] = "40000"
    return files
