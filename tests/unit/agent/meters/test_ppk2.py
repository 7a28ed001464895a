"""The PPK2 through a stand-in for its library: what it adds up, what it switches, how it stops."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trimtab_agent.meters import ppk2_session as module
from trimtab_agent.meters.ppk2 import Ppk2Probe
from trimtab_agent.probes.base import Sensor, SensorError

SwitchOn = Callable[[dict[str, object]], Path]
Samples = Callable[..., bytes]
_ADC = 1000
_AMPERES = _ADC * 4 * 1.8 / 163840 / 0.94  # in range 3, without corrections


@pytest.fixture
def root(switch_on: SwitchOn) -> Path:
    return switch_on({"ppk2": {"millivolts": 5000}})


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine under load may not run the thread for a while."""
    monkeypatch.setattr(module, "_STALL_S", 30.0)


def discovered(root: Path, ppk2: Any, data: list[bytes | Exception]) -> Sensor:
    ppk2.data = data
    (sensor,) = Ppk2Probe().discover(root)
    assert ppk2.exhausted.wait(10) or sensor.info.unavailable_reason
    return sensor


def failing(sensor: Sensor) -> str:
    """The reason, once it is there."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            sensor.read()
        except SensorError as error:
            return str(error)
        time.sleep(0.01)
    raise AssertionError("it went on reading")


def test_energy_is_current_times_the_given_voltage(root: Path, ppk2: Any, samples: Samples) -> None:
    data = samples([(_ADC, 3)] * 1000)
    sensor = discovered(root, ppk2, [data[:10], data[10:2001], data[2001:]])
    info = sensor.info
    assert (info.name, info.unit, info.kind, info.role) == ("ppk2/energy", "mJ", "counter", "total")
    assert info.scope == "what hangs on the PPK2, at 5 V (as given, not measured)"
    assert sensor.read() == pytest.approx(_AMPERES * 5 * 0.01 * 1000)


def test_by_default_it_measures_and_switches_nothing(
    root: Path, ppk2: Any, samples: Samples
) -> None:
    discovered(root, ppk2, [samples([(_ADC, 3)] * 10)])
    assert ppk2.calls == [
        ("port", "/dev/ttyACM0", {"timeout": 1, "exclusive": True}),
        ("use_ampere_meter",),
        ("set_source_voltage", 5000),
    ]


def test_it_supplies_and_switches_on_where_the_owner_asks(
    switch_on: SwitchOn, ppk2: Any, samples: Samples
) -> None:
    settings = {"millivolts": 3300, "mode": "source", "switch_on": True, "port": "/dev/ttyACM9"}
    sensor = discovered(switch_on({"ppk2": settings}), ppk2, [samples([(_ADC, 3)] * 10)])
    assert ppk2.calls[0][1] == "/dev/ttyACM9"
    assert ppk2.calls[1:] == [
        ("use_source_meter",),
        ("set_source_voltage", 3300),
        ("toggle_DUT_power", "ON"),
    ]
    assert sensor.info.scope.endswith("at 3.3 V (supplied by the PPK2)")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "give the supply's voltage"),
        ({"millivolts": 12000}, "800 to 5000"),
        ({"millivolts": "5 V"}, "800 to 5000"),
        ({"millivolts": 5000, "mode": "sauce"}, 'is "ampere" or "source"'),
        ({"millivolts": 5000, "switch_on": "yes"}, "true or false"),
        ({"millivolts": 5000, "power": True}, "ppk2 has no setting power"),
    ],
)
def test_bad_settings_open_nothing(
    switch_on: SwitchOn, ppk2: Any, settings: dict[str, object], said: str
) -> None:
    (sensor,) = Ppk2Probe().discover(switch_on({"ppk2": settings}))
    assert said in sensor.info.unavailable_reason
    assert ppk2.calls == []


@pytest.mark.parametrize(
    ("ports", "said"),
    [
        ([], "no PPK2 is connected"),
        (["/dev/ttyACM0", "/dev/ttyACM1"], "several ports (/dev/ttyACM0, /dev/ttyACM1)"),
        ([("/dev/ttyACM0", "C0FFEE"), ("/dev/ttyACM1", "C0FFEE")], "give port in meters.json"),
    ],
)
def test_which_port_must_be_clear(root: Path, ppk2: Any, ports: list[object], said: str) -> None:
    ppk2.ports = ports
    (sensor,) = Ppk2Probe().discover(root)
    assert said in sensor.info.unavailable_reason


def test_without_its_library_it_says_what_to_install(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ppk2_api", None)
    (sensor,) = Ppk2Probe().discover(root)
    assert "pip install ppk2-api" in sensor.info.unavailable_reason


def test_another_device_on_the_port_is_no_meter(root: Path, ppk2: Any) -> None:
    ppk2.calibrated = None
    (sensor,) = Ppk2Probe().discover(root)
    assert "does not tell its calibration" in sensor.info.unavailable_reason
    assert ppk2.names() == ["port", "close"]


def test_silence_from_the_beginning_is_said(
    root: Path, ppk2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FIRST_S", 0.05)
    (sensor,) = Ppk2Probe().discover(root)
    assert "told nothing within" in sensor.info.unavailable_reason


def test_unplugging_in_the_middle_ends_the_counter(root: Path, ppk2: Any, samples: Samples) -> None:
    data: list[bytes | Exception] = [samples([(_ADC, 3)] * 100), OSError(5, "Input/output error")]
    ppk2.data = data
    (sensor,) = Ppk2Probe().discover(root)
    assert "unplugged" in failing(sensor)


def test_a_stream_that_stops_is_no_counter_that_stands_still(
    root: Path, ppk2: Any, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STALL_S", 0.2)
    ppk2.data = [samples([(_ADC, 3)] * 100)]
    (sensor,) = Ppk2Probe().discover(root)
    assert "stream stopped" in failing(sensor)


def test_bytes_that_are_no_samples_end_it(root: Path, ppk2: Any, samples: Samples) -> None:
    ppk2.data = [samples([(_ADC, 3)] * 100), b"VERSION 1.2.0 Cal: 0\nEND\n" * 20]
    (sensor,) = Ppk2Probe().discover(root)
    assert "are no samples" in failing(sensor)


def test_more_than_a_few_lost_samples_end_it(
    root: Path, ppk2: Any, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in plays 100 samples, and the time that passes is that of thousands."""
    monkeypatch.setattr(module, "_JUDGED_FROM_S", 0.01)
    monkeypatch.setattr(module, "_ON_THE_WAY_S", 0.02)
    block = [(_ADC, 3)] * 100
    ppk2.data = [samples(block, first=100 * each) for each in range(50)]
    get = ppk2.get_data

    def get_slowly() -> bytes:
        time.sleep(0.005)
        return bytes(get())

    ppk2.get_data = get_slowly
    (sensor,) = Ppk2Probe().discover(root)
    assert "of its samples" in failing(sensor)
