"""The JS220 through a stand-in for its driver: what it adds up, and each way in which it stops."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trimtab_agent.meters import joulescope as module
from trimtab_agent.meters.joulescope import JoulescopeProbe
from trimtab_agent.probes.base import SensorError

SwitchOn = Callable[[dict[str, object]], Path]


@pytest.fixture
def root(switch_on: SwitchOn) -> Path:
    return switch_on({"joulescope": {}})


def reason(root: Path) -> str:
    (sensor,) = JoulescopeProbe().discover(root)
    with pytest.raises(SensorError, match="joulescope/energy"):
        sensor.read()
    return sensor.info.unavailable_reason


def test_it_is_left_alone_unless_the_owner_names_it(tmp_path: Path, joulescope: Any) -> None:
    assert JoulescopeProbe().discover(tmp_path) == []
    assert joulescope.calls == []


def test_energy_is_counted_from_where_the_instrument_stood(root: Path, joulescope: Any) -> None:
    (sensor,) = JoulescopeProbe().discover(root)
    assert (sensor.info.name, sensor.info.unit) == ("joulescope/energy", "mJ")
    assert (sensor.info.kind, sensor.info.role, sensor.info.counter_range) == (
        "counter",
        "total",
        0.0,
    )
    assert sensor.info.scope == "what hangs on the Joulescope 001122"
    assert sensor.info.sample_period_ns == 20_000_000
    assert sensor.read() == 0.0
    joulescope.send(5.25)
    joulescope.send(5.5)
    assert sensor.read() == pytest.approx(500.0)


def test_it_is_opened_once_and_its_range_is_never_touched(root: Path, joulescope: Any) -> None:
    for _ in range(2):
        JoulescopeProbe().discover(root)
    assert joulescope.calls == [
        ("open", "u/js220/001122", "restore"),
        ("publish", "u/js220/001122/s/stats/scnt", 20_000),
        ("publish", "u/js220/001122/s/stats/ctrl", 1),
    ]


def test_an_instrument_that_keeps_the_power_off_is_not_switched_on(
    root: Path, joulescope: Any
) -> None:
    joulescope.range_mode = 0
    assert "range is off" in reason(root)
    assert not any("range" in str(call) for call in joulescope.calls)


def test_without_its_library_it_says_what_to_install(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyjoulescope_driver", None)
    assert "pip install pyjoulescope_driver" in reason(root)


@pytest.mark.parametrize(
    ("paths", "settings", "said"),
    [
        ([], {}, "no JS220 is connected"),
        (["u/js110/002557"], {}, "there is u/js110/002557"),
        (["u/js220/1", "u/js220/2"], {}, "several JS220 are connected (1, 2)"),
        (["u/js220/1", "u/js220/2"], {"serial": "3"}, "no JS220 3 is connected"),
        ([], {"volts": 5}, "joulescope has no setting volts"),
        ([], {"serial": 7}, "serial of joulescope is no text"),
        ([], {"role": "all"}, "role of joulescope is one of"),
    ],
)
def test_each_reason_not_to_open_is_said(
    switch_on: SwitchOn, joulescope: Any, paths: list[str], settings: dict[str, object], said: str
) -> None:
    joulescope.paths = paths
    assert said in reason(switch_on({"joulescope": settings}))


def test_one_of_several_goes_by_its_serial(switch_on: SwitchOn, joulescope: Any) -> None:
    joulescope.paths = ["u/js220/009999", "u/js220/001122"]
    root = switch_on({"joulescope": {"serial": "001122", "role": "other"}})
    (sensor,) = JoulescopeProbe().discover(root)
    assert sensor.info.role == "other"
    assert joulescope.calls[0] == ("open", "u/js220/001122", "restore")


def test_what_the_library_raises_is_the_reason_and_it_is_not_asked_again_at_once(
    root: Path, joulescope: Any
) -> None:
    joulescope.broken = RuntimeError("jsdrv_open timed out")
    assert "jsdrv_open timed out" in reason(root)
    joulescope.broken = None
    assert "jsdrv_open timed out" in reason(root)
    assert joulescope.calls == [("finalize",)]


def test_a_failed_instrument_is_tried_again_later(root: Path, joulescope: Any) -> None:
    joulescope.broken = RuntimeError("in use")
    reason(root)
    joulescope.broken = None
    later = time.monotonic() + 60
    (sensor,) = JoulescopeProbe(clock=lambda: later).discover(root)
    assert sensor.info.unavailable_reason == ""


def test_silence_from_the_beginning_is_said(
    root: Path, joulescope: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FIRST_S", 0.05)
    joulescope.first_energy_j = None
    assert "told nothing within 0.05 s" in reason(root)


def test_unplugging_ends_the_counter_for_good_and_a_new_one_begins_at_zero(
    root: Path, joulescope: Any
) -> None:
    (sensor,) = JoulescopeProbe().discover(root)
    joulescope.send(6.0)
    joulescope.listeners["@/!remove"]("@/!remove", "u/js220/other")
    assert sensor.read() == pytest.approx(1000.0)
    joulescope.listeners["@/!remove"]("@/!remove", "u/js220/001122")
    with pytest.raises(SensorError, match="was unplugged"):
        sensor.read()
    joulescope.first_energy_j = 7.0
    (again,) = JoulescopeProbe().discover(root)
    assert again.read() == 0.0
    with pytest.raises(SensorError, match="was unplugged"):
        sensor.read()


def test_a_stream_that_stops_is_no_counter_that_stands_still(
    root: Path, joulescope: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STALL_S", 0.05)
    (sensor,) = JoulescopeProbe().discover(root)
    time.sleep(0.1)
    with pytest.raises(SensorError, match="told nothing for"):
        sensor.read()
    joulescope.send(9.0)
    with pytest.raises(SensorError, match="stream stopped"):
        sensor.read()


@pytest.mark.parametrize(
    "message",
    [
        None,
        {},
        {"accumulators": {"energy": {"value": "much"}}},
        {"accumulators": {"energy": {"value": 6.0}}, "time": {"accum_samples": {"value": []}}},
    ],
)
def test_garbage_ends_it(root: Path, joulescope: Any, message: object) -> None:
    (sensor,) = JoulescopeProbe().discover(root)
    joulescope.send_raw(message)
    with pytest.raises(SensorError, match="of another form"):
        sensor.read()


def test_no_number_and_a_cleared_accumulator_end_it(root: Path, joulescope: Any) -> None:
    (sensor,) = JoulescopeProbe().discover(root)
    joulescope.send(float("nan"))
    with pytest.raises(SensorError, match="gave no number"):
        sensor.read()
    (sensor,) = JoulescopeProbe().discover(root)
    joulescope.send(0.1, began_at=99)
    with pytest.raises(SensorError, match="began to add up anew"):
        sensor.read()


@pytest.mark.parametrize("text", ["{", "[]", '{"joulescope": true}'])
def test_a_settings_file_that_cannot_be_used_is_a_reason(
    tmp_path: Path, joulescope: Any, text: str
) -> None:
    file = tmp_path / "etc/trimtab-agent/meters.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert "meters.json" in reason(tmp_path)
    assert joulescope.calls == []
