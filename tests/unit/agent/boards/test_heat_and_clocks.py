"""Clocks, fans, zones, throttling and Android's status, from partial and broken trees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from trimtab_agent.cpus import clusters, core_types, cpu_model, cpu_range
from trimtab_agent.device import conditions
from trimtab_agent.power_mode import jetson_clocks
from trimtab_agent.probes.android_thermal import AndroidThermalProbe, thermal_condition
from trimtab_agent.probes.base import SensorError
from trimtab_agent.probes.clocks import ClocksProbe, cluster_settings
from trimtab_agent.probes.commands import CommandError
from trimtab_agent.probes.fan import FanProbe
from trimtab_agent.probes.thermal import ThermalProbe, hottest_zone
from trimtab_agent.probes.throttling import throttle_state

Plant = Callable[[dict[str, str]], Path]
CPU = "sys/devices/system/cpu"
THERMAL = "sys/class/thermal"
_A72 = "CPU implementer : 0x41\nCPU part : 0xd08\n"


def policy(
    number: int, cpus: str, now: str, limits: tuple[str, str], governor: str
) -> dict[str, str]:
    folder = f"{CPU}/cpufreq/policy{number}"
    return {
        f"{folder}/related_cpus": f"{cpus}\n",
        f"{folder}/scaling_cur_freq": f"{now}\n",
        f"{folder}/scaling_min_freq": f"{limits[0]}\n",
        f"{folder}/scaling_max_freq": f"{limits[1]}\n",
        f"{folder}/cpuinfo_max_freq": f"{limits[1]}\n",
        f"{folder}/scaling_governor": f"{governor}\n",
    }


BIG_LITTLE = {
    **policy(0, "0 1", "600000", ("408000", "1800000"), "schedutil"),
    **policy(2, "2 3", "2400000", ("408000", "2400000"), "performance"),
    "proc/cpuinfo": "\n".join(
        f"processor\t: {cpu}\nCPU implementer\t: 0x41\nCPU part\t: {part}\n"
        for cpu, part in enumerate(("0xd05", "0xd05", "0xd0b", "0xd0b"))
    ),
}


def test_governors_are_told_by_cluster_only_where_they_differ(plant: Plant) -> None:
    assert cluster_settings(plant(BIG_LITTLE)) == {
        "governor_cluster_0-1": "schedutil",
        "governor_cluster_2-3": "performance",
        "frequency_limits_mhz_cluster_0-1": "408 to 1800",
        "frequency_limits_mhz_cluster_2-3": "408 to 2400",
    }


def test_what_stood_in_the_conditions_before_still_does(plant: Plant) -> None:
    told = conditions(plant(BIG_LITTLE))
    assert told["governor"] == "performance, schedutil"
    assert told["frequency_mhz"] == "600 to 2400"
    assert told["governor_cluster_2-3"] == "performance"


def test_two_clocks_of_the_same_cores_are_two_clusters(plant: Plant) -> None:
    """As on an RK3588, whose four Cortex-A76 are two pairs."""
    root = plant({**BIG_LITTLE, **policy(0, "0 1", "1", ("408000", "2400000"), "performance")})
    (root / "proc/cpuinfo").write_text(BIG_LITTLE["proc/cpuinfo"].replace("0xd05", "0xd0b"))
    assert [each.cpu_ids for each in clusters(root)] == [(0, 1), (2, 3)]
    assert cluster_settings(root) == {"frequency_limits_mhz": "408 to 2400"}


def test_a_clock_says_whose_it_is_and_stops_with_a_reason(plant: Plant) -> None:
    root = plant(BIG_LITTLE)
    little, big = ClocksProbe().discover(root)
    assert (little.info.name, little.info.unit) == ("clocks/policy0", "MHz")
    assert little.info.scope == "processors 0-1 (Cortex-A55)"
    assert big.read() == 2400.0
    (root / f"{CPU}/cpufreq/policy2/scaling_cur_freq").write_text("<unknown>\n")
    with pytest.raises(SensorError, match="clocks/policy2 does not answer"):
        big.read()
    assert [each.info.name for each in ClocksProbe().discover(root)] == ["clocks/policy0"]


def test_single_clocks_of_a_cluster_are_one_sensor_that_outlives_one(plant: Plant) -> None:
    files = {f"{CPU}/cpufreq/policy{n}/related_cpus": f"{n}\n" for n in range(3)}
    files |= {f"{CPU}/cpufreq/policy{n}/scaling_cur_freq": f"{n + 1}00000\n" for n in range(3)}
    files["proc/cpuinfo"] = "\n".join(f"processor: {n}\nmodel name: X\n" for n in range(3))
    root = plant(files)
    (sensor,) = ClocksProbe().discover(root)
    assert sensor.info.scope == "the fastest of processors 0-2 (X)"
    assert sensor.read() == 300.0
    (root / f"{CPU}/cpufreq/policy2/scaling_cur_freq").unlink()
    assert sensor.read() == 200.0


def test_a_policy_that_names_no_processor_is_told_as_it_is(plant: Plant) -> None:
    root = plant({f"{CPU}/cpufreq/policy0/scaling_cur_freq": "1000000\n"})
    (sensor,) = ClocksProbe().discover(root)
    assert (sensor.info.scope, sensor.read()) == ("processors", 1000.0)
    assert cluster_settings(root) == {}


@pytest.mark.parametrize(
    ("cpuinfo", "names"),
    [
        (f"processor : 0\nmodel name : ARMv7 Processor rev 3 (v7l)\n{_A72}", {0: "Cortex-A72"}),
        (f"processor : 0\n\nprocessor : 1\n\n{_A72}", {0: "Cortex-A72", 1: "Cortex-A72"}),
        ("processor : 0\nCPU implementer : what\nCPU part : 0xd08\n", {0: ""}),
        ("processor : x\nmodel name : Y\n", {}),
        ("", {}),
    ],
)
def test_cores_are_read_from_every_form_of_cpuinfo(
    plant: Plant, cpuinfo: str, names: dict[int, str]
) -> None:
    assert core_types(plant({"proc/cpuinfo": cpuinfo})) == names


def test_cores_that_cpuinfo_does_not_name_go_by_their_register(plant: Plant) -> None:
    midr = "regs/identification/midr_el1"
    files = {f"{CPU}/cpu{n}/{midr}": text for n, text in ((0, "0x00000000410fd034\n"), (1, "?\n"))}
    root = plant({**files, f"{CPU}/cpufreq/x": "", f"{CPU}/cpu10x/{midr}": "0x410fd034"})
    assert core_types(root) == {0: "Cortex-A53"}
    assert cpu_model(root) == "Cortex-A53"


def test_capacity_parts_cores_whose_frequency_is_not_told(plant: Plant) -> None:
    cpuinfo = "\n".join(f"processor : {n}\n" for n in range(3))
    files = {
        f"{CPU}/cpu{n}/cpu_capacity": text for n, text in ((0, "400"), (1, "400"), (2, "1024"))
    }
    root = plant({"proc/cpuinfo": cpuinfo, **files})
    assert [each.cpu_ids for each in clusters(root)] == [(0, 1), (2,)]


def test_lists_of_processors_are_short() -> None:
    assert cpu_range((0, 1, 2, 3, 6, 8, 9)) == "0-3,6,8-9"
    assert cpu_range(()) == ""


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ((("100", "200"), ("100", "200")), "off"),
        ((("200", "200"), ("300", "300")), "on (lowest = highest frequency)"),
        ((("200", "200"), ("100", "300")), "on for 1 of 2 clusters (lowest = highest frequency)"),
        ((("", "200"), ("100", "")), "unknown: the kernel tells no limits of the frequency here"),
    ],
)
def test_jetson_clocks_show_in_the_limits(
    plant: Plant, limits: Sequence[tuple[str, str]], told: str
) -> None:
    files = {"proc/device-tree/compatible": "nvidia,p3767-0005\x00nvidia,tegra234\x00"}
    for number, pair in enumerate(limits):
        files |= policy(number, str(number), "1", pair, "schedutil")
    root = plant(files)
    assert jetson_clocks(root) == told
    assert conditions(root)["jetson_clocks"] == told


def test_another_board_has_no_jetson_clocks(plant: Plant) -> None:
    assert "jetson_clocks" not in conditions(plant(BIG_LITTLE))


def test_fans_that_do_not_answer_are_none(plant: Plant) -> None:
    root = plant(
        {
            "sys/class/hwmon/hwmon0/name": "nct6775\n",
            "sys/class/hwmon/hwmon0/fan1_input": "1200\n",
            "sys/class/hwmon/hwmon0/fan1_label": "CPU fan\n",
            "sys/class/hwmon/hwmon0/fan2_input": "\n",
            "sys/class/hwmon/hwmon0/pwm1": "255\n",
            "sys/class/hwmon/hwmon0/pwm1_enable": "2\n",
            f"{THERMAL}/cooling_device0/type": "Processor\n",
            f"{THERMAL}/cooling_device0/cur_state": "0\n",
            f"{THERMAL}/cooling_device1/type": "Fan\n",
            f"{THERMAL}/cooling_device1/cur_state": "1\n",
            f"{THERMAL}/cooling_device2/type": "pwm-fan\n",
        }
    )
    sensors = FanProbe().discover(root)
    assert [(each.info.name, each.info.scope, each.read()) for each in sensors] == [
        ("fan/hwmon0/fan1_input", "nct6775 CPU fan", 1200.0),
        ("fan/hwmon0/pwm1", "nct6775 pwm1, duty", 100.0),
        ("fan/cooling_device1/cur_state", "Fan, step", 1.0),
    ]
    (root / "sys/class/hwmon/hwmon0/fan1_input").unlink()
    with pytest.raises(SensorError, match="fan1_input does not answer"):
        sensors[0].read()


@pytest.mark.parametrize("temperature", ["-273150", "-256000", "2147483647", "1000000", "hot", ""])
def test_a_zone_without_a_reading_is_no_temperature(plant: Plant, temperature: str) -> None:
    root = plant({f"{THERMAL}/thermal_zone0/temp": "47000\n"})
    (sensor,) = ThermalProbe().discover(root)
    (root / f"{THERMAL}/thermal_zone0/temp").write_text(f"{temperature}\n")
    assert hottest_zone(root) is None
    with pytest.raises(SensorError, match="thermal_zone0"):
        sensor.read()


def test_the_zone_that_always_says_100_degrees_is_left_out(plant: Plant) -> None:
    root = plant(
        {
            f"{THERMAL}/thermal_zone0/type": "CPU-therm\n",
            f"{THERMAL}/thermal_zone0/temp": "34500\n",
            f"{THERMAL}/thermal_zone4/type": "PMIC-Die\n",
            f"{THERMAL}/thermal_zone4/temp": "100000\n",
        }
    )
    hottest = hottest_zone(root)
    assert hottest is not None
    assert (hottest.scope, hottest.celsius) == ("CPU-therm", 34.5)


def test_the_kernels_cap_on_the_frequency_is_a_flag(plant: Plant) -> None:
    files = {
        f"{THERMAL}/cooling_device0/type": "cpufreq-cpu0\n",
        f"{THERMAL}/cooling_device0/cur_state": "0\n",
        f"{THERMAL}/cooling_device1/type": "thermal-cpufreq-4\n",
        f"{THERMAL}/cooling_device1/cur_state": "3\n",
    }
    root = plant(files)
    state = throttle_state(root)
    assert state is not None
    assert state.active == ("frequency capped",)
    (root / f"{THERMAL}/cooling_device1/cur_state").write_text("0\n")
    state = throttle_state(root)
    assert state is not None
    assert state.active == ()


def test_a_virtual_machines_processors_are_no_sign_of_throttling(plant: Plant) -> None:
    files = {
        f"{THERMAL}/cooling_device0/type": "Processor\n",
        f"{THERMAL}/cooling_device0/cur_state": "0\n",
    }
    assert throttle_state(plant(files)) is None


def test_a_jetsons_events_are_counted_where_they_slow_it_down(plant: Plant) -> None:
    chip = "sys/class/hwmon/hwmon3"
    files = {f"{chip}/name": "soctherm_oc\n"}
    for number, (count, slows) in enumerate((("2", "1"), ("15", "0"), ("37", "1")), start=1):
        files |= {f"{chip}/oc{number}_event_cnt": count, f"{chip}/oc{number}_throt_en": slows}
    state = throttle_state(plant(files))
    assert state is not None
    assert (state.count, state.active) == (39, ())


@pytest.mark.parametrize("path", ["soc/soc:firmware", "soc@107c000000/soc@107c000000:firmware"])
def test_the_raspberry_pis_flags_are_found_where_each_model_has_them(
    plant: Plant, path: str
) -> None:
    state = throttle_state(plant({f"sys/devices/platform/{path}/get_throttled": "50005\n"}))
    assert state is not None
    assert state.active == ("under-voltage", "throttled")
    assert state.since_boot == ("under-voltage", "throttled")


@pytest.mark.parametrize(
    ("printed", "told", "reading"),
    [
        ("IsStatusOverride: false\nThermal Status: 0\nHAL Ready: true\n", "none", 0.0),
        ("Thermal Status: 3\r\n", "severe", 3.0),
        ("Thermal Status: 6\n", "shutdown", 6.0),
        ("Thermal Status: 9\n", "unknown: the thermal service tells an unknown status, 9", None),
        (
            "Permission Denial: can't dump thermalservice from pid=1, uid=10123 due to missing "
            "android.permission.DUMP permission\n",
            "unknown: Android does not let this app ask its thermal service",
            None,
        ),
        ("", "unknown: dumpsys thermalservice tells no thermal status (before Android 10?)", None),
    ],
)
def test_androids_own_judgement_is_told_or_why_not(
    plant: Plant, printed: str, told: str, reading: float | None
) -> None:
    root = plant({"system/build.prop": "", "commands/dumpsys thermalservice": printed})
    assert thermal_condition(root) == told
    (sensor,) = AndroidThermalProbe().discover(root)
    assert (sensor.info.name, sensor.info.unit) == ("android_thermal/status", "1")
    assert "3 severe" in sensor.info.scope
    if reading is None:
        assert sensor.info.unavailable_reason == told.removeprefix("unknown: ")
        with pytest.raises(SensorError, match="android_thermal/status"):
            sensor.read()
    else:
        assert sensor.info.unavailable_reason == ""
        assert sensor.read() == reading


def test_a_command_that_hangs_is_a_reason(plant: Plant) -> None:
    def hang(_root: Path, command: Sequence[str]) -> str:
        raise CommandError(f"{command[0]} did not answer within 2 s")

    root = plant({"system/build.prop": ""})
    (sensor,) = AndroidThermalProbe(hang).discover(root)
    assert sensor.info.unavailable_reason == "dumpsys did not answer within 2 s"
    assert AndroidThermalProbe(hang).discover(root / "elsewhere") == []
    assert thermal_condition(root / "elsewhere") is None
