"""What a device must be like before a job, on recorded boards."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from board_trees import plant_board
from trimtab_agent.health_gate import GateReport, examine
from trimtab_agent.records import HealthGate

LEVEL = "sys/class/power_supply/BAT0/capacity"


@pytest.fixture
def laptop(tmp_path: Path) -> Path:
    """At 73 %, 46 °C and 11.7 GB of memory."""
    return plant_board(tmp_path, "intel-laptop")


async def test_nothing_asked_is_nothing_looked_at(tmp_path: Path) -> None:
    assert await examine(HealthGate(), tmp_path / "no root", tmp_path / "none") == GateReport()


async def test_a_device_that_is_well_passes(laptop: Path) -> None:
    gate = HealthGate(1, 11_000_000_000, 73, 46)
    assert await examine(gate, laptop, laptop) == GateReport()


@pytest.mark.parametrize(
    ("gate", "seen"),
    [
        (HealthGate(min_memory_available_bytes=12 * 10**9), "11725 MB of memory are available"),
        (HealthGate(min_battery_percent=74), "the battery is at 73 %, 74 % are asked for"),
        (HealthGate(max_temperature_c=45.9), "at most 45.9 °C are asked for"),
    ],
)
async def test_each_figure_is_told_with_what_was_asked(
    laptop: Path, gate: HealthGate, seen: str
) -> None:
    report = await examine(gate, laptop, laptop)
    assert report.untold == ()
    (text,) = report.unmet
    assert seen in text


async def test_the_disk_is_the_one_of_the_folder(laptop: Path) -> None:
    free = shutil.disk_usage(laptop).free
    report = await examine(HealthGate(min_disk_free_bytes=2 * free), laptop, laptop)
    (text,) = report.unmet
    assert "of the disk are free" in text
    report = await examine(HealthGate(min_disk_free_bytes=1), laptop, laptop / "gone")
    assert report.untold == ("disk: No such file or directory",)


async def test_what_a_device_cannot_tell_fails_nothing(tmp_path: Path) -> None:
    report = await examine(HealthGate(0, 1, 50, 60), tmp_path, tmp_path)
    assert report.unmet == ()
    assert [text.partition(":")[0] for text in report.untold] == [
        "memory",
        "battery",
        "temperature",
    ]


async def test_a_phone_is_asked_through_termux(tmp_path: Path) -> None:
    plant_board(tmp_path, "android-phone")
    command = tmp_path / "commands" / "termux-battery-status"
    command.write_text('{"percentage": 41, "plugged": "UNPLUGGED"}')
    report = await examine(HealthGate(min_battery_percent=50), tmp_path, tmp_path)
    assert report.unmet == ("the battery is at 41 %, 50 % are asked for: charge it",)
    command.write_text("no JSON")
    report = await examine(HealthGate(min_battery_percent=50), tmp_path, tmp_path)
    assert report.untold == ("battery: the device tells no battery's level",)
