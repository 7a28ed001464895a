"""Raspberry Pi 5: rails of one call, and what happens when the firmware does not answer."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from trimtab_agent.probes import vcgencmd
from trimtab_agent.probes.base import SensorError
from trimtab_agent.probes.commands import CommandError, run_command
from trimtab_agent.probes.vcgencmd import VcgencmdProbe, parse_rails

Board = Callable[[str], Path]


class Firmware:
    """Counts its calls; ``fails`` is what the next ones say."""

    def __init__(self) -> None:
        self.calls = 0
        self.fails = ""
        self.text = ""

    def __call__(self, root: Path, command: Sequence[str]) -> str:
        self.calls += 1
        if self.fails:
            raise CommandError(self.fails)
        return self.text or run_command(root, command)


def test_twelve_rails_cost_one_call(board: Board) -> None:
    root, firmware = board("raspberry-pi-5"), Firmware()
    sensors = VcgencmdProbe(firmware).discover(root)
    assert len(sensors) == 12
    assert firmware.calls == 1
    total = sum(sensor.read() for sensor in sensors)
    assert firmware.calls == 1
    assert sum(sensor.read() for sensor in sensors) == pytest.approx(total)
    assert firmware.calls == 2, "read again, they are asked again"
    assert {sensor.source for sensor in sensors} == {"vcgencmd"}


def test_an_old_reading_is_not_served(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    firmware = Firmware()
    first, second, *_ = VcgencmdProbe(firmware).discover(board("raspberry-pi-5"))
    first.read()
    monkeypatch.setattr(vcgencmd, "_MAX_AGE_S", -1.0)
    second.read()
    assert firmware.calls == 2


def test_a_rail_is_a_current_and_a_voltage_of_one_name() -> None:
    text = """\
   3V3_SYS_A current(1)=0.05A
   3V3_SYS_V volt(9)=3.31V
  NO_VOLT_A current(2)=0.5A
    EXT5V_V volt(24)=5.1V
  BROKEN_A current(3)=1.2.3A
  BROKEN_V volt(4)=1.0V
  GARBAGE
"""
    assert parse_rails(text) == {"3V3_SYS": pytest.approx(165.5)}


@pytest.mark.parametrize(
    ("fails", "text", "reason"),
    [
        ("vcgencmd is not installed here", "", "vcgencmd is not installed here (the agent's user"),
        ("vcgencmd did not answer within 2 s", "", "did not answer within 2 s"),
        ("", 'error=1 error_msg="Command not registered"', "printed no rail"),
    ],
)
def test_without_an_answer_there_is_one_sensor_with_the_reason(
    board: Board, fails: str, text: str, reason: str
) -> None:
    firmware = Firmware()
    firmware.fails, firmware.text = fails, text
    (sensor,) = VcgencmdProbe(firmware).discover(board("raspberry-pi-5"))
    assert reason in sensor.info.unavailable_reason
    assert sensor.info.unit == "mW"


def test_a_call_that_fails_later_is_an_error_and_no_zero(board: Board) -> None:
    firmware = Firmware()
    sensor, *_ = VcgencmdProbe(firmware).discover(board("raspberry-pi-5"))
    sensor.read()
    firmware.fails = "vcgencmd did not answer within 2 s"
    with pytest.raises(SensorError, match="vcgencmd/3V7_WL_SW: vcgencmd did not answer"):
        sensor.read()
    firmware.fails, firmware.text = "", "   3V3_SYS_A current(1)=0.05A\n"
    with pytest.raises(SensorError, match="no longer told"):
        sensor.read()


@pytest.mark.parametrize("name", ["raspberry-pi-4", "jetson-orin-nano", "intel-laptop"])
def test_other_boards_are_not_asked(board: Board, name: str) -> None:
    firmware = Firmware()
    assert VcgencmdProbe(firmware).discover(board(name)) == []
    assert firmware.calls == 0


def test_only_a_raspberry_pi_without_a_sensor_is_remarked_on(board: Board, tmp_path: Path) -> None:
    assert "has no power sensor" in VcgencmdProbe().remark(board("raspberry-pi-4"))
    assert VcgencmdProbe().remark(tmp_path / "elsewhere") == ""
