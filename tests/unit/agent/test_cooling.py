"""The gate on a clock and a thermometer of the test's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trimtab_agent.cooling import wait_until_cool
from trimtab_agent.cpus import fastest_mhz
from trimtab_agent.probes.thermal import Temperature, hottest_zone
from trimtab_agent.probes.throttling import ThrottleState, throttle_state


class Thermometer:
    """Gives the script's values, one a reading, its last for ever."""

    def __init__(self, script: Sequence[float | None]) -> None:
        self.now_ns = 0
        self.waits: list[Temperature] = []
        self._script = list(script)

    async def read(self) -> Temperature | None:
        value = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        return None if value is None else Temperature(value, "cpu")

    async def sleep(self, seconds: float) -> None:
        self.now_ns += int(seconds * 1e9)

    async def on_wait(self, now: Temperature) -> None:
        self.waits.append(now)

    async def gate(self, limit: float, timeout_s: float) -> Any:
        timeout_ns = int(timeout_s * 1e9)
        return await wait_until_cool(
            self.read, limit, timeout_ns, self.on_wait, lambda: self.now_ns, self.sleep
        )


async def test_it_waits_until_it_is_cool_and_says_so_once() -> None:
    thermometer = Thermometer([70, 60, 50, 45])
    gate = await thermometer.gate(50, 60)
    assert (gate.met, gate.temperature_c, gate.waited_ns) == (True, 50, 2_000_000_000)
    assert [str(now) for now in thermometer.waits] == ["70.0 °C (cpu)"]


async def test_it_gives_up_at_the_time_out_with_the_temperature_it_saw() -> None:
    gate = await Thermometer([80, 75, 71]).gate(50, 2.5)
    assert (gate.met, gate.temperature_c, gate.waited_ns) == (False, 71, 2_500_000_000)


async def test_a_cool_device_and_one_without_thermometer_do_not_wait() -> None:
    for value, met in ((40, True), (None, None)):
        thermometer = Thermometer([value])
        gate = await thermometer.gate(50, 60)
        assert (gate.met, gate.waited_ns, thermometer.waits) == (met, 0, [])


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def test_the_hottest_zone_counts(tmp_path: Path) -> None:
    assert hottest_zone(tmp_path) is None
    for number, milli in enumerate(("41000", "63500", "50000")):
        write(tmp_path, f"sys/class/thermal/thermal_zone{number}/temp", milli)
        write(tmp_path, f"sys/class/thermal/thermal_zone{number}/type", f"zone-{number}")
    assert hottest_zone(tmp_path) == Temperature(63.5, "zone-1")


def test_the_firmwares_mask_tells_what_holds_now_apart_from_what_held(tmp_path: Path) -> None:
    file = "sys/devices/platform/soc/soc:firmware/get_throttled"
    assert throttle_state(tmp_path) is None
    write(tmp_path, file, "50005")
    both = ("under-voltage", "throttled")
    assert throttle_state(tmp_path) == ThrottleState(both, since_boot=both)
    write(tmp_path, file, "0x50000")
    assert throttle_state(tmp_path) == ThrottleState((), since_boot=both)


def test_counters_of_all_cores_add_up(tmp_path: Path) -> None:
    for cpu, count in enumerate(("3", "4")):
        file = f"sys/devices/system/cpu/cpu{cpu}/thermal_throttle/core_throttle_count"
        write(tmp_path, file, count)
    assert throttle_state(tmp_path) == ThrottleState((), 7)


def test_the_frequency_is_of_the_processors_asked_about(tmp_path: Path) -> None:
    assert fastest_mhz(tmp_path) is None
    for policy, cpus, khz in ((0, "0 1 2 3", "1800000"), (4, "4 5", "2400000")):
        folder = f"sys/devices/system/cpu/cpufreq/policy{policy}"
        write(tmp_path, f"{folder}/related_cpus", cpus)
        write(tmp_path, f"{folder}/scaling_cur_freq", khz)
    assert fastest_mhz(tmp_path) == 2400
    assert fastest_mhz(tmp_path, (1, 2)) == 1800
