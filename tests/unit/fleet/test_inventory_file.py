"""What a user wrote into ``devices.toml`` beside the devices is still there after a command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trimtab.fleet.inventory import Inventory
from trimtab.records import DevicePower, PowerModel

WRITTEN = """\
# Whoever moves a board notes it here.

# the one with the fan
[[device]]
name = "pi5"   # Raspberry Pi
address = "unix:/tmp/pi5.sock"
labels = { kind = "pi5", room = "lab" } # since May
bought = 2025-03-01

# ---- the other room ----

# slow; ask Ben before rebooting
[[device]]
address = "unix:/tmp/pi4.sock"
name = "pi4"
[device.labels]
kind = "pi4" # revision 1.4
room = "attic"

[[device]]
name = "jetson"
address = "10.0.0.7:7433"
battery_wh = 20
# the end
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "devices.toml"
    path.write_text(WRITTEN)
    return path


def _without(text: str, *lines: str) -> str:
    for line in lines:
        assert text.count(line) == 1, line
        text = text.replace(line, "")
    return text


def test_a_changed_label_changes_its_line_alone(path: Path) -> None:
    Inventory(path).set_labels("pi5", ["room=attic"])
    expected = '{kind = "pi5", room = "attic"} # since May'
    assert path.read_text() == WRITTEN.replace(
        '{ kind = "pi5", room = "lab" } # since May', expected
    )

    Inventory(path).set_labels("pi4", ["room-", "kind=pi4b"])
    text = path.read_text()
    assert 'kind = "pi4b" # revision 1.4\n\n[[device]]' in text.replace('room = "attic"\n', "")
    assert Inventory(path).select(["pi4"])[0].labels == {"kind": "pi4b"}


def test_an_added_device_comes_last_and_changes_nothing_else(path: Path) -> None:
    Inventory(path).add("orin", "unix:/tmp/orin.sock", {"kind": "orin"})
    assert path.read_text() == (
        f'{WRITTEN}\n[[device]]\nname = "orin"\naddress = "unix:/tmp/orin.sock"\n'
        'labels = {kind = "orin"}\n'
    )


def test_a_removed_device_takes_its_own_comment_along_and_no_other(path: Path) -> None:
    Inventory(path).remove("pi4")
    text = path.read_text()
    block = WRITTEN[WRITTEN.index("# slow;") : WRITTEN.index('[[device]]\nname = "jetson"')]
    assert text == _without(WRITTEN, block)

    Inventory(path).remove("pi5")
    text = path.read_text()
    assert text.startswith("# Whoever moves a board notes it here.\n")
    assert "# ---- the other room ----" in text
    Inventory(path).remove("jetson")
    assert "# the end" in path.read_text()
    assert [device.name for device in Inventory(path).devices()] == ["local"]


def test_power_is_set_and_forgotten_within_the_device(path: Path) -> None:
    Inventory(path).set_power("jetson", DevicePower(20, PowerModel(2.5, 0.5)))
    added = "battery_wh = 20\npower_model = {idle_w = 2.5, busy_core_w = 0.5}\n"
    assert path.read_text() == WRITTEN.replace("battery_wh = 20\n", added)

    Inventory(path).set_power("jetson", DevicePower())
    assert path.read_text() == _without(WRITTEN, "battery_wh = 20\n")
    Inventory(path).set_power("local", DevicePower(50))
    assert path.read_text().endswith('# the end\n\n[[device]]\nname = "local"\nbattery_wh = 50\n')


def test_what_is_the_same_already_writes_the_same(path: Path) -> None:
    Inventory(path).set_labels("pi5", ["room=lab"])
    Inventory(path).set_labels("jetson", ["absent-"])
    assert path.read_text() == WRITTEN


@pytest.mark.parametrize(
    "text",
    [
        'device = [{ name = "a", address = "unix:/a" }, { name = "b", address = "unix:/b" }]\n',
        '[[device]]\nname = "a"\naddress = "unix:/a"\nnote = """\n[[device]]\n"""\n'
        '[[device]]\nname = "b"\naddress = "unix:/b"\n',
        '[[ device ]]\nname="a"\naddress="unix:/a"\n[["device"]]\nname="b"\naddress="unix:/b"',
    ],
)
def test_devices_written_in_another_way_are_kept_all_the_same(tmp_path: Path, text: str) -> None:
    path = tmp_path / "devices.toml"
    path.write_text(text)
    Inventory(path).add("c", "unix:/c", {})
    Inventory(path).remove("a")
    kept = {device.name: device.address for device in Inventory(path).devices()}
    assert kept == {"local": "", "b": "unix:/b", "c": "unix:/c"}


_CHANGES: list[Callable[[Inventory, str], object]] = [
    lambda inventory, name: inventory.remove(name),
    lambda inventory, name: inventory.set_labels(name, ["kind-", "room=lab", "new=1"]),
    lambda inventory, name: inventory.set_labels(name, ["kind-", "room-", "new-"]),
    lambda inventory, name: inventory.set_power(name, DevicePower(3.5, PowerModel(1.5, 0.25))),
    lambda inventory, name: inventory.set_power(name, DevicePower()),
    lambda inventory, name: inventory.add(f"{name}-2", f"unix:/tmp/{name}", {"kind": name}),
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(_CHANGES), st.integers(0, 3)), max_size=8))
def test_whatever_is_changed_is_read_back_as_it_was_meant(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[Callable[[Inventory, str], object], int]],
) -> None:
    path = tmp_path_factory.mktemp("home") / "devices.toml"
    path.write_text(WRITTEN)
    inventory = Inventory(path)
    for change, at in changes:
        names = [each.name for each in inventory.devices() if not each.is_local]
        if names and f"{names[at % len(names)]}-2" not in names:
            change(inventory, names[at % len(names)])
    assert Inventory(path).devices() == inventory.devices()
    assert path.read_text().count("# Whoever moves a board notes it here.") == 1
