"""Which devices a selector means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from told_devices import told
from trimtab.fleet.inventory import LOCAL_DEVICE, Inventory, InventoryDevice
from trimtab.fleet.jobs import DeviceInfo, RuntimeInfo
from trimtab.fleet.selectors import parse_selector
from trimtab.records import UserError

GB = 10**9
DEVICES = {
    "pi4": ({"kind": "pi4", "room": "lab"}, 4 * GB, ("litert",)),
    "pi5": ({"kind": "pi5", "room": "lab"}, 8 * GB, ("litert", "onnxruntime")),
    "spare-pi5": ({"kind": "pi5"}, 4 * GB, ("onnxruntime",)),
    "jetson": ({"kind": "orin"}, 8 * GB, ("onnxruntime",)),
}


def info_of(name: str) -> DeviceInfo:
    _, memory, runtimes = DEVICES[name]
    usable = tuple(RuntimeInfo(each, "1", each, (), ("cpu",), "") for each in runtimes)
    broken = RuntimeInfo("torch", "", "", (), (), "torch is not installed")
    return told(memory_bytes=memory, cpu_count=4, runtimes=(*usable, broken))


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    inventory = Inventory(tmp_path / "devices.toml")
    for name, (labels, _, _) in DEVICES.items():
        inventory.add(name, f"unix:/tmp/{name}.sock", labels)
    return inventory


def ask(devices: Sequence[InventoryDevice]) -> Mapping[str, DeviceInfo | str]:
    silent = "spare-pi5: nobody answers"
    return {
        each.name: silent if each.name in ("local", "spare-pi5") else info_of(each.name)
        for each in devices
    }


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("pi5", ["pi5"]),
        ("name:pi*", ["pi4", "pi5"]),
        ("*pi5", ["pi5", "spare-pi5"]),
        ("label:kind=pi5", ["pi5", "spare-pi5"]),
        ("label:kind=pi5 and not name:spare*", ["pi5"]),
        ("not label:room=lab and not local", ["spare-pi5", "jetson"]),
        ("jetson or label:kind=pi4 and label:room=lab", ["pi4", "jetson"]),
        ("(jetson or label:kind=pi4) and label:room=lab", ["pi4"]),
        ("runtime:litert", ["pi4", "pi5"]),
        ("runtime:onnxruntime and memory>4GB", ["pi5", "jetson"]),
        ("memory>=7.4GiB", ["pi5", "jetson"]),
        ("memory<=4000MB", ["pi4"]),
        ("all", ["local", *DEVICES]),
    ],
)
def test_a_selector_means(selector: str, names: list[str], inventory: Inventory) -> None:
    assert [device.name for device in inventory.select([selector], ask)] == names


def test_a_device_that_does_not_answer_is_not_meant_by_what_it_lacks(
    inventory: Inventory,
) -> None:
    found = [device.name for device in inventory.select(["not runtime:litert"], ask)]
    assert found == ["jetson"], "whether the silent one has it nobody knows"
    with pytest.raises(UserError) as caught:
        inventory.select(["memory>100GB"], ask)
    assert "no device matches memory>100GB" in caught.value.message
    assert "spare-pi5 does not answer (spare-pi5: nobody answers)" in caught.value.message


def test_a_runtime_that_cannot_be_used_there_is_none(inventory: Inventory) -> None:
    with pytest.raises(UserError, match="no device matches runtime:torch"):
        inventory.select(["runtime:torch"], ask)


@pytest.mark.parametrize(
    ("selector", "asked", "names", "silent"),
    [
        ("label:kind=pi5 and memory>=4GB", ["pi5", "spare-pi5"], ["pi5"], ["spare-pi5"]),
        ("memory>=4GB and label:kind=pi5", ["pi5", "spare-pi5"], ["pi5"], ["spare-pi5"]),
        (
            "memory>=8GB or spare-pi5",
            ["local", "pi4", "pi5", "jetson"],
            ["pi5", "spare-pi5", "jetson"],
            ["local"],
        ),
        (
            "not (label:room=lab or memory>=8GB)",
            ["local", "spare-pi5", "jetson"],
            [],
            ["local", "spare-pi5"],
        ),
        ("pi4 and not (runtime:onnxruntime and pi5)", [], ["pi4"], []),
    ],
)
def test_only_devices_that_the_rest_leaves_open_are_asked(
    selector: str, asked: list[str], names: list[str], silent: list[str], inventory: Inventory
) -> None:
    heard: list[str] = []

    def listen(devices: Sequence[InventoryDevice]) -> Mapping[str, DeviceInfo | str]:
        heard.extend(device.name for device in devices)
        return ask(devices)

    selection = inventory.find([selector], listen, silent_will_do=True)

    assert heard == asked
    assert [device.name for device in selection.devices] == names
    assert list(selection.silent) == silent


def test_a_silent_device_that_another_selector_means_is_not_left_out(inventory: Inventory) -> None:
    selection = inventory.find(["runtime:litert", "spare-pi5"], ask)

    assert [device.name for device in selection.devices] == ["pi4", "pi5", "spare-pi5"]
    assert list(selection.silent) == ["local"]


def test_what_a_device_has_is_refused_where_nobody_can_be_asked(inventory: Inventory) -> None:
    with pytest.raises(UserError, match="cannot be asked here"):
        inventory.select(["pi5", "memory>=2GB"])
    assert inventory.select(["pi5 or pi5 and memory>=2GB or not all"])[0].name == "pi5"


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("all", ["pi4", "pi5", "spare-pi5", "jetson"]),
        ("not pi5 and *", ["pi4", "spare-pi5", "jetson"]),
        ("local or pi5", ["local", "pi5"]),
        ("name:local", ["local"]),
    ],
)
def test_local_is_meant_only_where_it_is_named(
    selector: str, names: list[str], inventory: Inventory
) -> None:
    found = inventory.find([selector], local_if_named=True).devices
    assert [device.name for device in found] == names


def test_devices_are_asked_only_where_it_matters(inventory: Inventory) -> None:
    def refuse(devices: Sequence[InventoryDevice]) -> Mapping[str, DeviceInfo | str]:
        raise AssertionError("nobody is to be asked")

    assert inventory.select(["label:kind=pi5 or pi4"], refuse)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "something is missing at its end"),
        ("pi5 and", "something is missing at its end"),
        ("and pi5", "something is missing before 'and'"),
        ("(pi5", "a parenthesis is not closed"),
        ("pi5)", "')' is one too many"),
        ("pi5 pi4", "'pi4' is one too many"),
        ("label:room=big lab", "'lab' is one too many; no selector names a label with a blank"),
        ("label:room=lab(2)", "'(' is one too many; no selector names a label with a blank"),
        ("memory>=2", "'memory>=2' is no comparison"),
        ("memory=2GB", "'memory=2GB' is no comparison"),
        ("os:linux", "'os:linux' is none of what can be asked"),
        ("runtime:", "'runtime:' is none of what can be asked"),
    ],
)
def test_what_is_no_selector_is_refused_with_the_forms(text: str, problem: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_selector(text)
    assert problem in caught.value.message
    assert "label:KEY=VALUE" in caught.value.advice


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("kind=spare", "label:kind=spare"),
        ("kind!=spare", "not label:kind=spare"),
        ("label:kind!=spare", "not label:kind=spare"),
        ("runtime=litert", "runtime:litert"),
        ("name=pi5", "name:pi5"),
        ("label=kind", "label:kind=VALUE"),
        ("mem>=64GB", "memory>=64GB"),
        ("Memory>2", "memory>=2GB"),
        ("pi5,spare1", "pi5 or spare1"),
        ("!pi5", "not pi5"),
        ("pi5!", ""),
        ("pi[5", ""),
        ("label:rev>=2", "label:KEY=VALUE"),
        ("name:pi+", ""),
    ],
)
def test_a_typo_below_not_does_not_mean_everything(typo: str, meant: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_selector(f"all and not {typo}")
    assert repr(typo) in caught.value.message or "labels are compared by =" in caught.value.message
    assert caught.value.message.endswith(f": write {meant}" if meant else "no pattern of names")


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("not pi6", "pi6"),
        ("pi5 or name:pi7 or pi6", "pi6, pi7"),
        ("all and not (pi5 or Pi4)", "Pi4"),
    ],
)
def test_a_name_that_no_device_has_is_told_not_passed_over(
    text: str, unknown: str, inventory: Inventory
) -> None:
    with pytest.raises(UserError) as caught:
        inventory.select([text], ask)
    assert caught.value.message == f"{text}: there is no device {unknown}"
    assert "known devices: local, pi4, pi5" in caught.value.advice


def test_a_pattern_may_exclude_what_is_not_there_yet(inventory: Inventory) -> None:
    assert inventory.select(["all and not jetson-*"]) == inventory.select(["all"])


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("pi[!4]", ["pi5"]),
        ("pi[0-4]", ["pi4"]),
        ("pi?", ["pi4", "pi5"]),
        ("name:s*-pi5", ["spare-pi5"]),
    ],
)
def test_wildcards_are_those_of_the_shell(
    pattern: str, names: list[str], inventory: Inventory
) -> None:
    assert [device.name for device in inventory.select([pattern])] == names


@pytest.mark.parametrize("deep", ["not " * 2000 + "all", "(" * 500 + "all" + ")" * 500])
def test_nesting_without_end_is_one_line(deep: str) -> None:
    with pytest.raises(UserError, match="nested deeper than 50") as caught:
        parse_selector(deep)
    assert len(caught.value.message) < 200
    assert parse_selector("not " * 40 + "all and " * 2000 + "(all)").matches(LOCAL_DEVICE, None)
