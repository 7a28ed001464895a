"""A device that does not answer is not left out without a word."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from trimtab.campaign import selected_devices
from trimtab.cli import cli
from trimtab.fleet.inventory import Inventory, InventoryDevice
from trimtab.fleet.live import Seen
from trimtab.records import UserError

LINE = "passed over: dead does not answer: no agent? answers\n"


@pytest.fixture(autouse=True)
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of ``pi5``, which has 8 GB, and ``dead``: who was asked what it has."""
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path))
    monkeypatch.setattr(selected_devices, "_said", set())
    inventory = Inventory(tmp_path / "devices.toml")
    inventory.add("pi5", "unix:/pi5", {"is": "board"})
    inventory.add("dead", "unix:/dead", {"is": "board"})
    names: list[str] = []

    async def answer(devices: Sequence[InventoryDevice], state: Path) -> dict[str, Any]:
        names.extend(device.name for device in devices)
        there = SimpleNamespace(memory_bytes=8 * 10**9, runtimes=())
        silent = "no agent\x07 answers\n"
        return {each.name: silent if each.name == "dead" else there for each in devices}

    async def look(device: InventoryDevice, state: Path) -> Seen:
        return Seen(device.name, problem="gone" if device.name == "dead" else "")

    async def examine(devices: Sequence[InventoryDevice], state: Path) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(selected_devices, "ask_devices", answer)
    monkeypatch.setattr("trimtab.cli.devices_top.look_once", look)
    monkeypatch.setattr("trimtab.cli.devices_top.seen_row", lambda seen: seen.device)
    monkeypatch.setattr("trimtab.cli.devices_doctor.examine_devices", examine)
    return names


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, standalone_mode=False)


def test_top_goes_on_with_the_others_and_ends_with_3(asked: list[str]) -> None:
    looked = _run("devices", "top", "memory>=4GB", "--once", "--format", "json")

    assert looked.stderr == LINE
    assert '"devices": [\n    "pi5"\n  ]' in looked.stdout
    assert looked.return_value == 3
    assert asked == ["pi5", "dead"], "local is not started for it"


def test_doctor_ends_with_3(asked: list[str]) -> None:
    examined = _run("devices", "doctor", "label:is=board and memory>=4GB")

    assert (examined.stderr, examined.return_value) == (LINE, 3)
    assert asked == ["pi5", "dead"]


@pytest.mark.parametrize("command", [("top", "--once"), ("doctor",)])
def test_where_none_that_answers_is_meant_it_is_3_too(command: tuple[str, ...]) -> None:
    outcome = _run("devices", *command, "label:is=board and memory>=64GB")

    assert outcome.exception is None
    assert (outcome.stderr, outcome.return_value) == (LINE, 3)


def test_one_that_is_named_is_not_asked_what_it_has(asked: list[str]) -> None:
    looked = _run("devices", "top", "memory>=4GB or dead", "--once", "--format", "json")

    assert asked == ["pi5"]
    assert (looked.stderr, looked.return_value) == ("", 3)


def test_top_takes_local_only_where_it_is_named() -> None:
    looked = _run("devices", "top", "all and not dead", "--once", "--format", "json")
    assert '"devices": [\n    "pi5"\n  ]' in looked.stdout
    assert looked.return_value == 0

    named = _run("devices", "top", "local", "--once", "--format", "json")
    assert '"devices": [\n    "local"\n  ]' in named.stdout


def test_what_measures_says_it_once_and_goes_on_with_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for _ in range(2):
        found = selected_devices.select_devices(["label:is=board and memory>=4GB"])
        assert [device.name for device in found] == ["pi5"]

    assert capsys.readouterr().err == LINE


def test_what_measures_has_nothing_to_do_where_none_answers() -> None:
    with pytest.raises(UserError, match="no device matches memory>=64GB; dead does not answer"):
        selected_devices.select_devices(["memory>=64GB"])
