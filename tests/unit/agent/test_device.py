"""What a device says of itself, from trees like those of real boards."""

from collections.abc import Callable
from pathlib import Path

import pytest
from trimtab_agent.device import conditions, describe_device
from trimtab_agent.identity import identify
from trimtab_agent.load import CpuTimes, busy_share, measure_foreign_load, read_cpu_times
from trimtab_agent.records import CpuCluster

Plant = Callable[[dict[str, str]], Path]
_ARM_CPU = "processor\t: {}\nCPU implementer\t: 0x41\nCPU part\t: {}\n"
PI5 = {
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/hostname": "shelf-pi\n",
    "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\x00",
    "proc/device-tree/compatible": "raspberrypi,5-model-b\x00brcm,bcm2712\x00",
    "proc/cpuinfo": "\n".join(_ARM_CPU.format(cpu, "0xd0b") for cpu in range(4)),
    "proc/meminfo": "MemTotal:        8256304 kB\nMemAvailable:    7000000 kB\n",
    "proc/loadavg": "0.15 0.10 0.05 1/200 4242\n",
    "proc/sys/kernel/osrelease": "6.6.31+rpt-rpi-2712\n",
    "proc/sys/kernel/random/boot_id": "5a0e1c9e-0000-4000-8000-1234567890ab\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "ondemand\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "1500000\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "47250\n",
    **{f"sys/devices/system/cpu/cpu{n}/cpufreq/cpuinfo_max_freq": "2400000\n" for n in range(4)},
}


def test_a_board_is_described_from_its_own_files(plant: Plant) -> None:
    info = describe_device(plant(PI5))
    assert info.display_name == "shelf-pi"
    assert info.board_model == "Raspberry Pi 5 Model B Rev 1.0"
    assert info.soc == "brcm,bcm2712"
    assert info.cpu_model == "Cortex-A76"
    assert info.os_release == "Debian GNU/Linux 12 (bookworm)"
    assert info.kernel_release == "6.6.31+rpt-rpi-2712"
    assert info.memory_bytes == 8256304 * 1024
    assert info.boot_id == "5a0e1c9e-0000-4000-8000-1234567890ab"
    assert info.cpu_clusters == (CpuCluster("Cortex-A76", (0, 1, 2, 3), 2_400_000_000),)
    assert info.tuning == {"governor": "ondemand"}
    names = [sensor.name for sensor in info.sensors]
    expected = ["clocks/policy0", "thermal/thermal_zone0", "vcgencmd/pmic", "power"]
    assert names == expected


def test_big_and_little_cores_are_clusters_of_their_own(plant: Plant) -> None:
    cpus = "\n".join(_ARM_CPU.format(n, "0xd05" if n < 2 else "0xd0b") for n in range(3))
    info = describe_device(plant({"proc/cpuinfo": cpus}))
    assert [(cluster.core_type, cluster.cpu_ids) for cluster in info.cpu_clusters] == [
        ("Cortex-A55", (0, 1)),
        ("Cortex-A76", (2,)),
    ]
    assert info.cpu_model == "Cortex-A55 + Cortex-A76"


def test_a_pc_is_described_from_dmi(plant: Plant) -> None:
    files = {
        "sys/class/dmi/id/sys_vendor": "LENOVO\n",
        "sys/class/dmi/id/product_name": "20XW\n",
        "proc/cpuinfo": "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n",
    }
    info = describe_device(plant(files))
    assert info.board_model == "LENOVO 20XW"
    assert info.cpu_model == "Some CPU @ 2 GHz"


def test_the_identity_is_stable_and_does_not_tell_the_machine_id(plant: Plant) -> None:
    root = plant(PI5)
    first = identify(root)
    assert first == identify(root)
    assert first.fallback == ""
    assert PI5["etc/machine-id"].strip() not in first.device_id
    (root / "etc/machine-id").write_text("fedcba9876543210fedcba9876543210\n")
    assert identify(root).device_id != first.device_id


def test_an_identity_from_something_weaker_says_so(plant: Plant) -> None:
    root = plant({"etc/machine-id": "uninitialized\n"})
    assert "host name" in describe_device(root).tuning["device_id_from"]
    (root / "proc/device-tree").mkdir(parents=True)
    (root / "proc/device-tree/serial-number").write_text("10000000abcdef\x00")
    assert describe_device(root).tuning["device_id_from"] == "the board's serial number"


def test_conditions_tell_what_is_true_now(plant: Plant) -> None:
    assert conditions(plant(PI5)) == {
        "governor": "ondemand",
        "power_mode": "none: no platform profile, energy preference or nvpmodel here",
        "boost": "none: the processor's driver has no switch for boost",
        "frequency_mhz": "1500",
        "temperature_c": "47.2 (cpu-thermal)",
        "load_average_1m": "0.15",
        "memory_available_mb": "7168",
        "power_source": "none: /sys/class/power_supply lists no battery and no mains adapter",
        "throttling": "unknown: neither firmware nor kernel tells",
    }


def test_what_the_kernel_does_not_tell_is_unknown_with_the_reason(tmp_path: Path) -> None:
    found = conditions(tmp_path)
    for name in ("governor", "frequency_mhz", "temperature_c", "memory_available_mb"):
        assert found[name].startswith("unknown: "), name


@pytest.mark.parametrize(
    ("supplies", "source"),
    [
        ({"AC/online": "1", "BAT0/status": "Not charging"}, "mains"),
        ({"AC/online": "0", "BAT0/status": "Discharging"}, "battery"),
        ({"battery/status": "Charging"}, "mains"),
        ({"AC/online": "1", "mouse/scope": "Device", "mouse/status": "Discharging"}, "mains"),
        ({"BAT0/status": "Unknown"}, "unknown: nothing in /sys/class/power_supply tells"),
    ],
)
def test_the_power_source_is_told(plant: Plant, supplies: dict[str, str], source: str) -> None:
    root = plant({f"sys/class/power_supply/{name}": text for name, text in supplies.items()})
    assert conditions(root)["power_source"] == source


async def test_foreign_load_is_the_busy_share_between_readings(plant: Plant) -> None:
    root = plant({"proc/stat": "cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3\n"})
    before = read_cpu_times(root)
    assert before == CpuTimes(busy=150, total=1000)
    assert busy_share(before, CpuTimes(busy=180, total=1100)) == pytest.approx(0.3)
    assert busy_share(before, before) is None
    assert await measure_foreign_load(root / "absent", window_s=0) is None


def test_a_kind_of_sensor_that_is_missing_says_what_was_looked_for(tmp_path: Path) -> None:
    sensors = {sensor.name: sensor for sensor in describe_device(tmp_path).sensors}

    assert "looked for" in sensors["power"].unavailable_reason
    assert "no thermal zone" in sensors["temperature"].unavailable_reason


def test_a_temperature_sensor_that_is_there_is_not_called_missing(tmp_path: Path) -> None:
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "temp").write_text("41000\n")

    sensors = {sensor.name: sensor for sensor in describe_device(tmp_path).sensors}

    assert "temperature" not in sensors
    assert sensors["thermal/thermal_zone0"].unavailable_reason == ""
