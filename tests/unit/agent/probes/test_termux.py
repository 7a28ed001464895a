"""An Android battery by Termux: nothing without a calibration, nothing while it is plugged in."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from trimtab_agent.probes.base import SensorError
from trimtab_agent.probes.battery_calibration import Calibration, save_calibration
from trimtab_agent.probes.commands import CommandError
from trimtab_agent.probes.termux import BATTERY, TermuxProbe, read_battery

Board = Callable[[str], Path]
STORE = "var/lib/trimtab-agent/battery-calibration.json"


class Phone:
    def __init__(self, **changes: object) -> None:
        self.changes = changes
        self.fails = ""

    def __call__(self, root: Path, command: Sequence[str]) -> str:
        if self.fails:
            raise CommandError(self.fails)
        text = (root / "commands" / " ".join(command)).read_text()
        return json.dumps(json.loads(text) | self.changes)


def calibrated(root: Path) -> Path:
    save_calibration(root / STORE, BATTERY, Calibration("uA", -1, 1000.0))
    return root


def test_uncalibrated_it_is_unavailable(board: Board) -> None:
    (sensor,) = TermuxProbe().discover(board("android-phone"))
    assert "calibrate-battery" in sensor.info.unavailable_reason


def test_calibrated_it_tells_the_whole(board: Board) -> None:
    (sensor,) = TermuxProbe().discover(calibrated(board("android-phone")))
    assert sensor.info.role == "total"
    assert sensor.read() == pytest.approx(820_000 * 4099 * 1e-6)


def test_from_one_ampere_on_termux_leaves_milliampere_and_that_is_seen(board: Board) -> None:
    """-820 mA are shown as -820000, -1200 mA as -1200: a thousandth of what flows."""
    phone = Phone()
    (sensor,) = TermuxProbe(phone).discover(calibrated(board("android-phone")))
    phone.changes = {"current": -1200}
    with pytest.raises(SensorError, match="which no battery gives"):
        sensor.read()


@pytest.mark.parametrize("plugged", ["PLUGGED_AC", "PLUGGED_USB", "PLUGGED_8", ""])
def test_plugged_in_it_is_unavailable(board: Board, plugged: str) -> None:
    phone = Phone(plugged=plugged)
    root = calibrated(board("android-phone"))
    (sensor,) = TermuxProbe(phone).discover(root)
    assert "unplug it to measure" in sensor.info.unavailable_reason


def test_plugged_in_while_it_is_read_is_an_error(board: Board) -> None:
    phone = Phone()
    (sensor,) = TermuxProbe(phone).discover(calibrated(board("android-phone")))
    phone.changes = {"plugged": "PLUGGED_USB"}
    with pytest.raises(SensorError, match="PLUGGED_USB"):
        sensor.read()


@pytest.mark.parametrize("current", [None, "much", True])
def test_a_phone_that_tells_no_current_says_so(board: Board, current: object) -> None:
    (sensor,) = TermuxProbe(Phone(current=current)).discover(board("android-phone"))
    assert "tells no current" in sensor.info.unavailable_reason


@pytest.mark.parametrize("text", ["", "not json", "[1]", "5"])
def test_what_is_no_json_object_is_a_reason(board: Board, text: str) -> None:
    (sensor,) = TermuxProbe(lambda root, command: text).discover(board("android-phone"))
    assert "printed no JSON" in sensor.info.unavailable_reason


def test_a_call_that_hangs_is_a_reason_and_then_an_error(board: Board) -> None:
    phone, root = Phone(), calibrated(board("android-phone"))
    (sensor,) = TermuxProbe(phone).discover(root)
    phone.fails = "termux-battery-status did not answer within 10 s"
    with pytest.raises(SensorError, match="did not answer within 10 s"):
        sensor.read()
    (sensor,) = TermuxProbe(phone).discover(root)
    assert "Termux:API" in sensor.info.unavailable_reason


def test_a_battery_that_the_kernel_tells_is_not_told_twice(board: Board) -> None:
    root = board("android-phone")
    folder = root / "sys/class/power_supply/battery"
    folder.mkdir(parents=True)
    (folder / "type").write_text("Battery\n")
    (folder / "current_now").write_text("-820\n")
    assert TermuxProbe().discover(root) == []


def test_elsewhere_than_on_android_nothing_is_asked(board: Board) -> None:
    assert TermuxProbe().discover(board("intel-laptop")) == []


def test_what_a_calibration_needs_is_read_as_it_is_told(board: Board) -> None:
    reading = read_battery(board("android-phone"), clock=lambda: 3.0)
    assert (reading.time_s, reading.status, reading.current) == (3.0, "DISCHARGING", -820000)
    assert (reading.charge, reading.voltage, reading.capacity) == (3194654, 4099, 85)
