"""What disturbs a device now, from trees like those of real ones, with the command that helps."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from trimtab_agent.doctor.examination import examine
from trimtab_agent.doctor.finding import Finding
from trimtab_agent.doctor.settings import (
    boost_finding,
    governor_finding,
    power_mode_finding,
    power_source_finding,
)
from trimtab_agent.doctor.surroundings import (
    disk_finding,
    headroom_finding,
    load_finding,
    memory_finding,
    running_workers,
    swap_finding,
    throttling_finding,
)
from trimtab_agent.foreign import ForeignLoad, background_load
from trimtab_agent.paging import meminfo
from trimtab_agent.probes.thermal import least_headroom
from trimtab_agent.probes.throttling import throttle_state

Plant = Callable[[dict[str, str]], Path]

_CPUFREQ = "sys/devices/system/cpu/cpufreq"
_FLAGS = "sys/devices/platform/soc/soc:firmware/get_throttled"


def test_a_device_that_saves_power_gets_the_commands(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab_agent.doctor.examination.running_workers", lambda: (1,))
    root = plant({f"{_CPUFREQ}/policy0/scaling_governor": "powersave\n", _FLAGS: "50005\n"})
    found = {finding.name: finding for finding in examine(root).disturbances}
    assert found["governor"].outcome == "warning"
    assert found["governor"].advice.endswith(
        "echo performance | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
    )
    assert found["throttling now"].voids
    assert found["throttling now"].seen == "under-voltage, throttled"


def test_a_governor_is_judged_by_its_name() -> None:
    assert governor_finding("performance").outcome == "ok"
    unknown = governor_finding("unknown: no cpufreq")
    assert (unknown.outcome, unknown.seen) == ("unknown", "no cpufreq")


def test_a_jetson_below_its_fastest_mode_gets_the_command_for_that_one(plant: Plant) -> None:
    modes = "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n"
    root = plant({"etc/nvpmodel.conf": modes, "var/lib/nvpmodel/status": "pmode:0000"})
    finding = power_mode_finding(root)
    assert (finding.outcome, finding.seen) == ("warning", "15W (nvpmodel)")
    assert "sudo nvpmodel -m 2" in finding.advice
    plant({"var/lib/nvpmodel/status": "pmode:0002"})
    assert power_mode_finding(root).outcome == "ok"
    (root / "var/lib/nvpmodel/status").unlink()
    assert power_mode_finding(root).advice.endswith("sudo nvpmodel -q")


def test_a_laptop_gets_the_commands_for_its_profile_preference_and_turbo(plant: Plant) -> None:
    root = plant(
        {
            "sys/firmware/acpi/platform_profile": "low-power\n",
            "sys/firmware/acpi/platform_profile_choices": "low-power balanced performance\n",
            "sys/devices/system/cpu/intel_pstate/no_turbo": "0\n",
            f"{_CPUFREQ}/policy0/energy_performance_preference": "power\n",
        }
    )
    advice = power_mode_finding(root).advice
    assert "powerprofilesctl set performance" in advice
    assert "echo performance | sudo tee /sys/firmware/acpi/platform_profile" in advice
    assert "policy*/energy_performance_preference" in advice
    assert boost_finding(root).advice.endswith(
        "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"
    )
    plant({"sys/firmware/acpi/platform_profile_choices": "quiet balanced\n"})
    plant({f"{_CPUFREQ}/policy0/energy_performance_preference": "performance\n"})
    assert power_mode_finding(root).outcome == "ok", "it has no faster one"


def test_a_board_without_modes_has_nothing_to_set(tmp_path: Path) -> None:
    assert power_mode_finding(tmp_path).outcome == boost_finding(tmp_path).outcome == "ok"


def test_boost_is_switched_off_where_the_kernel_has_its_switch(plant: Plant) -> None:
    root = plant({f"{_CPUFREQ}/boost": "1\n"})
    assert boost_finding(root).advice.endswith(f"echo 0 | sudo tee /{_CPUFREQ}/boost")
    plant({f"{_CPUFREQ}/boost": "0\n"})
    assert boost_finding(root) == Finding("boost", "ok", "off")


@pytest.mark.parametrize(
    ("source", "outcome"),
    [("battery", "warning"), ("mains", "ok"), ("none: listed", "ok"), ("unknown: x", "unknown")],
)
def test_a_battery_is_a_warning(source: str, outcome: str) -> None:
    finding = power_source_finding(source)
    assert finding.outcome == outcome
    assert bool(finding.advice) is (outcome == "warning")


@pytest.mark.parametrize(
    ("share", "outcome", "voids"),
    [(0.05, "ok", False), (0.5, "warning", False), (0.9, "warning", True)],
)
def test_background_load_is_named_and_voids_where_no_processor_is_left(
    share: float, outcome: str, voids: bool
) -> None:
    finding = load_finding(ForeignLoad(share, 2, ("stress (99% of a processor)",)))
    assert (finding.outcome, finding.voids) == (outcome, voids)
    assert "stress (99% of a processor)" in finding.seen
    assert load_finding(None).outcome == "unknown"


def test_who_makes_the_background_load_is_found(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            load = asyncio.run(background_load(window_s=0.3))
        finally:
            busy.kill()
    assert load is not None
    assert load.share > 0
    assert any("python" in culprit for culprit in load.culprits)
    assert asyncio.run(background_load(tmp_path, window_s=0)) is None


def test_workers_of_other_agents_are_seen_and_own_ones_not() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()', {0!r}])"
    own = [sys.executable, "-c", "input()", "trimtab_agent.worker"]
    others = [sys.executable, "-c", code.format("trimtab_agent.worker")]
    before = running_workers()
    with (
        subprocess.Popen(own, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as mine,
        subprocess.Popen(others, stdin=subprocess.PIPE) as parent,
    ):
        new: set[int] = set()
        while not new and parent.poll() is None:
            new = set(running_workers()) - set(before)
        assert mine.pid not in new
        mine.communicate(b"\n")
        parent.communicate(b"\n")
    assert new, "the other agent's worker was not seen"


def test_throttling_now_voids_and_since_boot_warns(plant: Plant) -> None:
    root = plant({_FLAGS: "50000\n"})
    finding = throttling_finding(throttle_state(root))
    assert (finding.outcome, finding.voids) == ("warning", False)
    assert finding.seen == "not now; since boot: under-voltage, throttled"
    plant({_FLAGS: "0\n"})
    assert throttling_finding(throttle_state(root)).outcome == "ok"
    assert throttling_finding(None).outcome == "unknown"


def test_the_headroom_is_that_of_the_zone_nearest_to_slowing_down(plant: Plant) -> None:
    zone = "sys/class/thermal/thermal_zone"
    root = plant(
        {
            f"{zone}0/type": "cpu-thermal\n",
            f"{zone}0/temp": "76500\n",
            f"{zone}0/trip_point_0_type": "active\n",
            f"{zone}0/trip_point_0_temp": "50000\n",
            f"{zone}0/trip_point_1_type": "critical\n",
            f"{zone}0/trip_point_1_temp": "110000\n",
            f"{zone}0/trip_point_2_type": "passive\n",
            f"{zone}0/trip_point_2_temp": "80000\n",
            f"{zone}1/type": "gpu-thermal\n",
            f"{zone}1/temp": "76500\n",
            f"{zone}1/trip_point_0_type": "passive\n",
            f"{zone}1/trip_point_0_temp": "0\n",
        }
    )
    finding = headroom_finding(least_headroom(root))
    assert finding.outcome == "warning"
    assert "76.5 °C (cpu-thermal), passive at 80 °C" in finding.seen
    plant({f"{zone}0/temp": "40000\n"})
    assert headroom_finding(least_headroom(root)).outcome == "ok"
    assert headroom_finding(None).outcome == "unknown"


def test_memory_and_disk_that_run_short_are_warnings(plant: Plant) -> None:
    root = plant(
        {
            "proc/meminfo": "MemTotal: 1000000 kB\nMemAvailable: 50000 kB\n"
            "SwapTotal: 2000 kB\nSwapFree: 1000 kB\n"
        }
    )
    memory = meminfo(root)
    assert memory_finding(memory).seen == "51 of 1024 MB"
    assert memory_finding(memory).advice
    assert memory_finding({**memory, "MemAvailable": memory["MemTotal"]}).outcome == "ok"
    assert memory_finding({}).outcome == "unknown"
    moved = swap_finding(memory, 100, 160)
    assert (moved.outcome, "60 pages moved" in moved.seen) == ("warning", True)
    assert swap_finding(memory, 100, 100).outcome == "ok"
    assert swap_finding({}, None, None).outcome == "unknown"
    assert disk_finding(10).advice
    assert disk_finding(10**12).outcome == "ok"
