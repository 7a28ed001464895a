"""Energy from a real kernel's battery, whose current the tests set, to the user's figures."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from devices.guest.chips import (
    battery_under_load,
    battery_without_driver,
    set_battery,
    set_regulator,
    unsteady_battery,
)
from devices.guest.machine import Guest

pytestmark = [pytest.mark.devices, pytest.mark.slow, pytest.mark.timeout(900)]

Trimtab = Callable[..., subprocess.Popen[str]]
_RATE_HZ = 10
_PACED = ("--rate", _RATE_HZ, "--set", "min_samples=30")
_VOLTAGE_V = 12.0
# The halves of the battery's swing are not of exactly one length.
_EMULATION = 0.01


def bench(trimtab: Trimtab, shared_data: Path, *options: object) -> dict[str, Any]:
    return finished(started(trimtab, shared_data, *options))


def started(trimtab: Trimtab, shared_data: Path, *options: object) -> subprocess.Popen[str]:
    model = shared_data / "models" / "mnist.onnx"
    how = ("--runtime", "null", "--repeats", 2, "--format", "json")
    return trimtab("bench", model, "-d", "guest", *how, *options)


def finished(job: subprocess.Popen[str]) -> dict[str, Any]:
    output, said = job.communicate(timeout=600)
    assert job.returncode == 0, said
    (result,) = json.loads(output)["results"]
    assert result["error"] is None
    return dict(result)


def close_to(metric: dict[str, Any], truth: float) -> bool:
    """Within what the figure says of itself, and what is known of the emulated truth."""
    low, high = metric["ci95"]
    assert low <= metric["value"] <= high
    return bool(low - _EMULATION * truth <= truth <= high + _EMULATION * truth)


@pytest.mark.parametrize("current_a", [0.5, 1.25])
def test_the_energy_follows_what_the_battery_gives(
    guest: Guest, trimtab: Trimtab, shared_data: Path, current_a: float
) -> None:
    power_w = current_a * _VOLTAGE_V
    set_battery(guest, current_a=-current_a, voltage_v=_VOLTAGE_V)
    with unsteady_battery(guest, -current_a):
        result = bench(trimtab, shared_data, *_PACED)

    figures = result["metrics"]
    assert figures["power_mean_w"]["value"] == pytest.approx(power_w, rel=0.03)
    assert close_to(figures["power_mean_w"], power_w)
    assert figures["energy_mj"]["value"] == pytest.approx(power_w * 1e3 / _RATE_HZ, rel=0.04)
    assert figures["power_idle_w"]["value"] == pytest.approx(power_w, rel=0.03)


def test_a_regulator_is_not_added_to_the_battery_that_feeds_it(
    guest: Guest, trimtab: Trimtab, shared_data: Path
) -> None:
    set_battery(guest, current_a=-0.5, voltage_v=_VOLTAGE_V)
    set_regulator(guest, input_w=40.0, output_w=35.0)
    with unsteady_battery(guest, -0.5):
        result = bench(trimtab, shared_data, *_PACED)

    assert result["metrics"]["power_mean_w"]["value"] == pytest.approx(6.0, rel=0.03)


def test_what_the_device_does_on_top_of_idling_is_the_net_energy(
    guest: Guest, trimtab: Trimtab, shared_data: Path
) -> None:
    """Back to back, so that the processor is busy throughout while it measures."""
    with battery_under_load(guest, idle_a=0.5, busy_a=1.0):
        result = bench(trimtab, shared_data, "--min-duration", "1s", "--set", "max_retries=0")

    figures = result["metrics"]
    assert figures["power_mean_w"]["value"] == pytest.approx(12.0, rel=0.05)
    # The emulation itself keeps the processor busy for some hundredths.
    assert 6.0 <= figures["power_idle_w"]["value"] < 8.0
    net, whole = (figures[name]["value"] for name in ("energy_net_mj", "energy_mj"))
    idle_share = figures["power_idle_w"]["value"] / figures["power_mean_w"]["value"]
    assert net / whole == pytest.approx(1 - idle_share, abs=0.02)
    assert figures["energy_net_mj"]["ci95"][0] > 0


def test_a_device_on_its_charger_has_no_energy_and_the_sensor_says_why(
    guest: Guest, trimtab: Trimtab, shared_data: Path
) -> None:
    set_battery(guest, current_a=1.5, voltage_v=_VOLTAGE_V)

    figures = bench(trimtab, shared_data, *_PACED)["metrics"]

    for name in ("power_mean_w", "energy_mj", "energy_net_mj"):
        assert figures[name]["value"] is None
        assert figures[name]["reason"]
    listed, _ = trimtab("devices", "info", "guest", "--format", "json").communicate(timeout=60)
    (battery,) = (
        sensor
        for sensor in json.loads(listed)["sensors"]
        if sensor["name"].endswith("/current_now")
    )
    assert "unplug it" in battery["unavailable_reason"]


@pytest.mark.parametrize("what", ["the charger comes", "the battery goes"])
def test_what_happens_to_the_battery_in_the_middle_costs_the_energy_alone(
    what: str, guest: Guest, trimtab: Trimtab, shared_data: Path
) -> None:
    long = ("--rate", _RATE_HZ, "--min-duration", "20s", "--repeats", 1)
    job = started(trimtab, shared_data, *long)
    assert job.stderr is not None
    assert any("repeat 1 of 1" in line for line in job.stderr)
    time.sleep(15)  # the worker starts, sleeps and warms up
    if what == "the charger comes":
        set_battery(guest, current_a=1.5)
        result = finished(job)
    else:
        with battery_without_driver(guest):
            result = finished(job)

    figures = result["metrics"]
    assert figures["latency_p50_ms"]["value"] > 0
    assert figures["energy_mj"]["value"] is None
    assert "stopped answering while measuring" in figures["energy_mj"]["reason"]
