"""From an unplugged phone to a sensor that tells milliwatt."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from trimtab_agent.probes import power_supply, termux
from trimtab_agent.probes.battery_calibration import Calibration, CalibrationError
from trimtab_agent.probes.battery_session import calibrate_battery
from trimtab_agent.probes.commands import CommandError
from trimtab_agent.probes.power_supply import PowerSupplyProbe
from trimtab_agent.probes.termux import TermuxProbe

Board = Callable[[str], Path]
Plant = Callable[[dict[str, str]], Path]
BATTERY = "sys/class/power_supply/battery"
STORE = "var/lib/trimtab-agent/battery-calibration.json"


class Clock:
    """Time that passes by sleeping; ``passed`` hears how much."""

    def __init__(self, passed: Callable[[float], None]) -> None:
        self.now, self._passed = 0.0, passed

    def sleep(self, duration_s: float) -> None:
        self.now += duration_s
        self._passed(self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[float], None]], Clock]:
    def make(passed: Callable[[float], None]) -> Clock:
        made = Clock(passed)
        for module in (power_supply, termux):
            read = module.read_battery
            monkeypatch.setattr(
                module,
                "read_battery",
                lambda *given, _read=read: _read(*given, clock=lambda: made.now),
            )
        return made

    return make


def test_a_gauge_in_milliampere_becomes_a_sensor(plant: Plant, clock: Callable[..., Clock]) -> None:
    root = plant(
        {
            f"{BATTERY}/type": "Battery\n",
            f"{BATTERY}/status": "Discharging\n",
            f"{BATTERY}/current_now": "450\n",
            f"{BATTERY}/voltage_now": "4100000\n",
            f"{BATTERY}/charge_counter": "3000000\n",
            f"{BATTERY}/capacity": "75\n",
        }
    )

    def passed(now_s: float) -> None:
        lost = int(450_000 * now_s / 3600)
        (root / BATTERY / "charge_counter").write_text(f"{3_000_000 - lost}\n")

    name, found = calibrate_battery(root, root / STORE, 60.0, clock(passed).sleep)
    assert (name, found) == ("power_supply/battery", Calibration("mA", 1, 1.0))
    power = next(each for each in PowerSupplyProbe().discover(root) if each.info.unit == "mW")
    assert power.read() == pytest.approx(1845.0)


def test_a_phone_is_calibrated_by_termux(board: Board, clock: Callable[..., Clock]) -> None:
    root = board("android-phone")
    status = json.loads((root / "commands/termux-battery-status").read_text())
    start = status["charge_counter"]

    def passed(now_s: float) -> None:
        status["charge_counter"] = start - int(820_000 * now_s / 3600)

    def run(root: Path, command: Sequence[str]) -> str:
        return json.dumps(status)

    name, found = calibrate_battery(root, root / STORE, 60.0, clock(passed).sleep, run)
    assert (name, found) == ("termux/battery", Calibration("uA", -1, 1000.0))
    (sensor,) = TermuxProbe(run).discover(root)
    assert sensor.read() == pytest.approx(3361.18)


def test_refused_it_keeps_nothing(board: Board, clock: Callable[..., Clock]) -> None:
    root = board("android-phone")
    with pytest.raises(CalibrationError, match="moved 0 times"):
        calibrate_battery(root, root / STORE, 60.0, clock(lambda now: None).sleep)
    assert not (root / STORE).exists()


def test_without_a_battery_or_an_answer_it_says_so(board: Board, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="no battery in /sys/class/power_supply"):
        calibrate_battery(tmp_path / "none", tmp_path / STORE)

    def silent(root: Path, command: Sequence[str]) -> str:
        raise CommandError("termux-battery-status did not answer within 10 s")

    with pytest.raises(CalibrationError, match="did not answer"):
        calibrate_battery(board("android-phone"), tmp_path / STORE, run=silent)
