"""Several processes write ``devices.toml``: no change is lost, none goes beyond its own device."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from trimtab.fleet.inventory import Inventory
from trimtab.records import DevicePower, UserError

BY_HAND = """\
[[device]]
name = 'pi5'
address = "192.168.1.20"   # without its port
labels = {  }

[[device]]
name = "pi4"
address = "unix:///tmp/pi4.sock"
labels = {kind="pi4"}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "devices.toml"
    path.write_text(BY_HAND)
    return path


def _names(path: Path) -> list[str]:
    return [device.name for device in Inventory(path).devices()]


def test_a_change_is_made_to_what_another_process_wrote_meanwhile(path: Path) -> None:
    early, other = Inventory(path), Inventory(path)
    other.add("orin", "unix:/tmp/orin.sock", {})
    other.set_labels("pi4", ["room=lab"])
    other.remove("pi5")

    early.add("jetson", "unix:/tmp/jetson.sock", {})
    early.set_power("pi4", DevicePower(20))

    assert _names(path) == ["local", "pi4", "orin", "jetson"]
    (pi4,) = Inventory(path).select(["pi4"])
    assert (pi4.labels, pi4.power.battery_wh) == ({"kind": "pi4", "room": "lab"}, 20)
    with pytest.raises(UserError, match="no device pi5"):
        early.set_labels("pi5", ["kind=pi5"])
    with pytest.raises(UserError, match="a device orin already"):
        early.add("orin", "unix:/tmp/another.sock", {})


def test_writers_at_the_same_time_wait_for_each_other(path: Path) -> None:
    def add_some(writer: int) -> None:
        for number in range(5):
            Inventory(path).add(f"w{writer}-{number}", "10.0.0.1", {})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add_some, range(4)))

    assert len(_names(path)) == 3 + 20


def test_an_address_stays_as_it_was_written(path: Path) -> None:
    Inventory(path).add("orin", "10.0.0.7", {})
    added = '\n[[device]]\nname = "orin"\naddress = "10.0.0.7:7433"\n'
    assert path.read_text() == BY_HAND + added

    Inventory(path).set_labels("pi5", ["kind=pi5"])
    Inventory(path).set_power("pi4", DevicePower(20))
    text = path.read_text()
    assert 'address = "192.168.1.20"   # without its port\n' in text
    assert 'address = "unix:///tmp/pi4.sock"\n' in text


def test_a_write_that_fails_leaves_the_file_and_nothing_beside_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        Inventory(path).remove("pi5")

    assert path.read_text() == BY_HAND
    assert [each.name for each in path.parent.iterdir() if each.suffix == ".tmp"] == []


def test_who_may_read_it_stays(path: Path) -> None:
    path.chmod(0o640)
    Inventory(path).remove("pi5")
    assert path.stat().st_mode & 0o777 == 0o640
