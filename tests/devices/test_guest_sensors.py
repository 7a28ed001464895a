"""The unmodified agent on a real kernel, whose sensors tell what the tests write to their chips.

Nothing here is about speed: an emulated processor has none to speak of.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from devices.guest.chips import (
    set_battery,
    set_battery_temperature,
    set_regulator,
    set_thermometer,
)
from devices.guest.machine import Guest

# The first test waits for downloads, the image and the boot.
pytestmark = [pytest.mark.devices, pytest.mark.slow, pytest.mark.timeout(900)]

Trimtab = Callable[..., subprocess.Popen[str]]
# A slow device is not worked back to back: 30 inferences in 3 s.
_PACED = ("--runtime", "null", "--rate", 10, "--set", "min_samples=30", "--min-duration", "3s")
_ONCE = ("--repeats", 1, "--set", "max_retries=0", "--format", "json")
_READ_ALL = """
import json
from trimtab_agent.probes.registry import discover
told = {f"{s.info.scope} in {s.info.unit}": s.read() for s in discover()
        if not s.info.unavailable_reason}
print(json.dumps(told))
"""
_POWER_SOURCE = """
from pathlib import Path
from trimtab_agent.probes.power_supply import power_source
print(power_source(Path("/")))
"""


def values(guest: Guest) -> dict[str, float]:
    """What the agent's own sensors read in the guest now."""
    told: dict[str, float] = json.loads(guest.shell(f"python3 - <<'END'\n{_READ_ALL}\nEND"))
    return told


def only(told: dict[str, float], *words: str) -> float:
    (found,) = (value for name, value in told.items() if all(word in name for word in words))
    return found


def finished(process: subprocess.Popen[str]) -> tuple[str, str]:
    output, said = process.communicate(timeout=400)
    assert process.returncode == 0, said
    return output, said


def measured(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The only result of a ``trimtab bench --format json``."""
    output, _ = finished(process)
    (result,) = json.loads(output)["results"]
    assert result["error"] is None
    return dict(result)


def test_the_host_lists_the_sensors_of_each_driver(trimtab: Trimtab) -> None:
    output, _ = finished(trimtab("devices", "info", "guest", "--format", "json"))

    scopes = {sensor["scope"] for sensor in json.loads(output)["sensors"]}
    for driver in ("bmr453 pin", "bmr453 pout1", "lm75 temp1", "sbs-0-000b", "battery"):
        assert any(driver in scope for scope in scopes), scopes


def test_every_sensor_follows_its_chip(guest: Guest) -> None:
    before = values(guest)
    assert only(before, "bmr453 pin") == pytest.approx(3750)
    assert only(before, "lm75 temp1") == 48.0

    set_regulator(guest, input_w=17.3, output_w=15.25)
    set_thermometer(guest, 61.5)
    set_battery(guest, current_a=-2.5, celsius=41.2, percent=33)

    after = values(guest)
    # Eleven bits: a step is at most a thousandth of the value.
    assert only(after, "bmr453 pin") == pytest.approx(17300, rel=1e-3)
    assert only(after, "bmr453 pout1") == pytest.approx(15250, rel=1e-3)
    assert only(after, "lm75 temp1") == 61.5
    assert only(after, "battery in %") == 33
    assert after["sbs-0-000b in Cel"] == pytest.approx(41.2, abs=0.11)


def test_the_doctor_names_what_measures_power_here(guest: Guest) -> None:
    """It has a verdict on this device too: here that it has no usable runtime."""
    found = json.loads(guest.shell("python3 -m trimtab_agent doctor --format json || true", 200))

    (power,) = (each for each in found["abilities"] if each["name"] == "power")
    assert "power1_input" in power["seen"], power
    (source,) = (each for each in found["disturbances"] if each["name"] == "power source")
    assert "battery" in source["seen"]


def test_the_power_source_is_what_the_battery_tells(guest: Guest) -> None:
    told = []
    for current_a in (-0.5, 1.5, 0.0):
        set_battery(guest, current_a=current_a)
        told.append(guest.shell(f"python3 -c '{_POWER_SOURCE}'"))

    assert told == ["battery", "mains", "mains"]


def test_a_hot_device_is_waited_for_until_it_is_cool(
    guest: Guest, trimtab: Trimtab, shared_data: Path
) -> None:
    set_battery_temperature(guest, 55.0)
    model = shared_data / "models" / "mnist.onnx"
    gate = ("--max-start-temperature", 40, "--cooldown-timeout", "200s")
    job = trimtab("bench", model, "-d", "guest", *_PACED, *gate, *_ONCE)

    assert job.stderr is not None
    waiting = next(line for line in job.stderr if "waiting until below" in line)
    assert "waiting until below 40 °C, now 55.1 °C (sbs-0-000b)" in waiting
    held_s = 5.0
    time.sleep(held_s)
    assert job.poll() is None
    set_battery_temperature(guest, 38.0)

    result = measured(job)
    assert float(result["conditions"]["start_temperature_c"]) == pytest.approx(38.0, abs=0.2)
    assert float(result["conditions"]["cooldown_s"]) >= held_s - 1
    assert outcome(result, "START_TEMPERATURE") == "passed"


def test_a_device_that_stays_hot_is_measured_in_the_end_and_said_to_be_hot(
    guest: Guest, trimtab: Trimtab, shared_data: Path
) -> None:
    set_battery_temperature(guest, 55.0)
    model = shared_data / "models" / "mnist.onnx"
    gate = ("--max-start-temperature", 40, "--cooldown-timeout", "2s")
    job = trimtab("bench", model, "-d", "guest", *_PACED, *gate, *_ONCE)

    output, _ = job.communicate(timeout=400)

    (result,) = json.loads(output)["results"]
    assert result["error"] is None
    assert outcome(result, "START_TEMPERATURE") == "failed"
    assert float(result["conditions"]["start_temperature_c"]) == pytest.approx(55.0, abs=0.2)


def outcome(result: dict[str, Any], name: str) -> str:
    (check,) = (check for check in result["verdict"]["checks"] if check["name"] == name)
    return str(check["outcome"])
