"""Every command that takes devices takes the same selectors; what it does with them is cut off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import TensorProto, helper
from trimtab.campaign import selected_devices
from trimtab.cli import cli
from trimtab.compress.passes import PassRejected
from trimtab.fleet.inventory import Inventory, InventoryDevice
from trimtab.records import UserError

GB = 10**9
DEVICES = {  # name: kind, memory, runtime
    "pi4": ("pi4", 1 * GB, "litert"),
    "pi5": ("pi5", 8 * GB, "litert"),
    "spare-pi5": ("pi5", 4 * GB, "onnxruntime"),
}
SELECTORS = {
    "label:kind=pi5": ["pi5", "spare-pi5"],
    "name:pi*": ["pi4", "pi5"],
    "runtime:litert": ["pi4", "pi5"],
    "memory>=2GB": ["pi5", "spare-pi5"],
    "label:kind=pi5 and not name:spare*": ["pi5"],
    "runtime:onnxruntime or (name:pi* and memory<2GB)": ["pi4", "spare-pi5"],
}
# Where each command goes on with what was selected, and what stands there for it.
SEVERAL: dict[str, tuple[str, ...]] = {
    "bench": ("trimtab.cli.bench.measure_into", "bench", "m.onnx", "--device"),
    "bench --compare": (
        "trimtab.cli.bench.run_comparison",
        *("bench", "m.onnx", "m.onnx", "--compare", "--device"),
    ),
    "check": ("trimtab.cli.check.check_fleet", "check", "m.onnx", "-d"),
    "run": ("trimtab.campaign.project_run.measure_into", "run", "--device"),
    "devices list": ("trimtab.cli.devices_list.ask_status", "devices", "list"),
    "devices top": ("trimtab.cli.devices_top._look", "devices", "top", "--once"),
    "devices doctor": ("trimtab.cli.devices_doctor.examine_devices", "devices", "doctor"),
    "fleet rotate": ("trimtab.fleet.identity.visits.rotate_all", "fleet", "rotate"),
}
ONE: dict[str, tuple[str, ...]] = {
    "compress": ("trimtab.campaign.project_run._build", "compress", "--device"),
    "devices info": ("trimtab.cli.devices.ask_device", "devices", "info"),
    "devices remove": ("trimtab.fleet.inventory.Inventory.remove", "devices", "remove"),
}


class Reached(Exception):
    """A command got as far as the devices."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a fleet that answers without being there, and a project in the working folder."""
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    inventory = Inventory(tmp_path / "home" / "devices.toml")
    for name, (kind, _, _) in DEVICES.items():
        inventory.add(name, f"{name}.local", {"kind": kind})
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 4)) for n in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])], "g", [values[0]], values[1:]
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), tmp_path / "m.onnx")
    (tmp_path / "trimtab.toml").write_text('[task]\nmodel = "m.onnx"\n')

    async def answers(devices: Sequence[InventoryDevice], state: Path) -> dict[str, Any]:
        return {each.name: _info(*DEVICES.get(each.name, ("", 0, ""))) for each in devices}

    monkeypatch.setattr(selected_devices, "ask_devices", answers)
    monkeypatch.setattr("trimtab.fleet.identity.making.present_authority", lambda: None)
    return tmp_path / "home"


def _info(kind: str, memory_bytes: int, runtime: str) -> Any:
    usable = SimpleNamespace(name=runtime, unavailable_reason="")
    return SimpleNamespace(memory_bytes=memory_bytes, runtimes=(usable,))


@pytest.fixture
def reached(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """``reached(place, *arguments)``: names of the devices that a command goes on with there."""

    def run(place: str, *arguments: str) -> list[str]:
        given: list[str] = []

        def stand_in(*values: Any, **named: Any) -> None:
            given.extend(name for value in values for name in _names(value))
            raise Reached

        monkeypatch.setattr(place, stand_in)
        outcome = _run(*arguments)
        assert isinstance(outcome.exception, Reached), (outcome.output, outcome.exception)
        return given

    return run


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, standalone_mode=False)


def _names(value: Any) -> list[str]:
    devices = getattr(value, "devices", value)
    if isinstance(devices, str):
        return [devices] if devices in DEVICES else []
    each = devices if isinstance(devices, tuple | list) else [devices]
    return [one.name for one in each if isinstance(one, InventoryDevice)]


@pytest.mark.parametrize("command", SEVERAL)
@pytest.mark.parametrize("selector", SELECTORS)
def test_a_command_for_several_devices_goes_on_with_those_selected(
    command: str, selector: str, reached: Callable[..., list[str]]
) -> None:
    place, *arguments = SEVERAL[command]
    assert reached(place, *arguments, selector) == SELECTORS[selector]


@pytest.mark.parametrize("command", [name for name in ONE if name != "compress"])
@pytest.mark.parametrize(
    "selector", ["label:kind=pi5 and memory>4GB", "runtime:litert and not pi4"]
)
def test_a_command_for_one_device_takes_a_selector_of_one(
    command: str, selector: str, reached: Callable[..., list[str]]
) -> None:
    place, *arguments = ONE[command]
    assert reached(place, *arguments, selector) == ["pi5"]


@pytest.mark.parametrize("command", ONE)
@pytest.mark.parametrize("selector", ["label:kind=pi5", "memory>=2GB"])
def test_a_command_for_one_device_says_where_several_are_selected(
    command: str, selector: str, home: Path
) -> None:
    before = (home / "devices.toml").read_bytes()
    _, *arguments = ONE[command]
    error = _run(*arguments, selector).exception
    assert isinstance(error, UserError)
    assert error.message == f"{selector} names 2 devices, pi5, spare-pi5"
    assert "name it" in error.advice
    assert (home / "devices.toml").read_bytes() == before


def test_compress_hands_its_selector_to_what_measures(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[str, ...]] = []
    attempts: list[int] = []

    def devices_of(task: Any, measure: Any, own: Any, say: Any, rules: Any) -> None:
        found.append(tuple(own))
        attempts.append(rules.attempts)

    monkeypatch.setattr("trimtab.campaign.project_run.devices_of", devices_of)
    with (home.parent / "trimtab.toml").open("a") as project:
        project.write("[dispatch]\nattempts = 9\n")
    selector = "runtime:litert and memory>=2GB"
    outcome = _run("compress", "--device", selector)
    assert outcome.exception is None, outcome.output
    assert found == [(selector,)]
    assert attempts == [9]  # the project's rules hold there too


def test_a_build_that_measured_on_the_projects_device_is_not_taken_for_another(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measures(*_: Any, devices: Callable[[str], Any], **__: Any) -> list[Any]:
        with pytest.raises(PassRejected, match="stands for it"):
            devices("")
        return []

    def refuse(selector: str) -> Any:
        raise PassRejected("stands for it")

    monkeypatch.setattr("trimtab.campaign.project_run.build_variants", measures)
    monkeypatch.setattr("trimtab.campaign.project_run.devices_of", lambda *_: refuse)
    (home.parent / "trimtab-build").mkdir()

    assert _run("compress", "--device", "pi4").exception is None
    assert "nothing to do" in _run("compress", "--device", "pi4").output
    again = _run("compress", "--device", "pi5").output
    assert "building again: it was measured on pi4" in again


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("label", "label:kind=pi5", "room=lab"), 'room = "lab"'),
        (("power", "label:kind=pi5", "--battery-wh", "20"), "battery_wh = 20"),
    ],
)
def test_labels_and_power_are_given_to_all_that_are_selected(
    arguments: tuple[str, ...], text: str, home: Path
) -> None:
    outcome = _run("devices", *arguments)
    assert outcome.exception is None, outcome.output
    assert [line.split(":")[0] for line in outcome.output.splitlines()] == ["pi5", "spare-pi5"]
    assert (home / "devices.toml").read_text().count(text) == 2


def test_the_local_device_is_passed_over_where_all_are_labelled(home: Path) -> None:
    outcome = _run("devices", "label", "all", "room=lab")
    assert outcome.exception is None, outcome.output
    assert (home / "devices.toml").read_text().count('room = "lab"') == len(DEVICES)
    alone = _run("devices", "label", "local", "room=lab").exception
    assert isinstance(alone, UserError)


def test_a_run_that_is_gone_on_with_keeps_its_devices(home: Path) -> None:
    error = _run("run", "--resume", "--device", "pi5").exception
    assert isinstance(error, UserError)
    assert error.message.startswith("--device with --resume")
