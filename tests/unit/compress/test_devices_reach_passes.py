"""A pass on the model is given the devices that the build was given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from torch import nn
from trimtab.compress import pipeline
from trimtab.compress.device import Devices, TargetDevice
from trimtab.compress.passes import ModelContext, ModelPass, PassConfig, PassRejected
from trimtab.export import build_variants
from trimtab.project import PassStep, VariantPlan
from trimtab.task import Task


class Board:
    name = "board"

    def figure(self, path: Path, model_format: str, metric: str) -> float:
        return 4.5

    def operator_times(self, path: Path, model_format: str) -> Mapping[str, float]:
        return {}

    def layer_times(self, model: nn.Module, task: Task) -> Mapping[str, float]:
        return {}


class Asking(ModelPass[PassConfig]):
    name = "asking"
    config = PassConfig

    def apply(
        self, model: nn.Module, config: PassConfig, context: ModelContext
    ) -> tuple[nn.Module, str]:
        if context.devices is None:
            raise PassRejected("no devices here")
        device = context.devices("board")
        return model, f"{device.name}: {device.figure(Path('m.onnx'), 'onnx', 'energy_mj')} mJ"


def only_the_board(selector: str) -> TargetDevice:
    assert selector == "board"
    return Board()


@pytest.mark.parametrize(
    ("given", "said"),
    [({"devices": only_the_board}, "board: 4.5 mJ"), ({}, "no devices here")],
)
def test_devices_reach_passes_on_the_model(
    given: dict[str, Any],
    said: str,
    tiny_task: Callable[..., Task],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "load_pass", lambda name: Asking())
    plan = VariantPlan("asked", ("torchscript",), (PassStep("asking", {}),))

    _, asked = build_variants(tiny_task(), [plan], tmp_path / "out", **given)

    assert said in (asked.lineage if asked.failure is None else (asked.failure.message,))


def _always(name: str) -> Devices:
    """Whatever is selected, it is the device of that name."""
    device = Board()
    device.name = name
    return lambda selector: device


class Measuring(ModelPass[PassConfig]):
    """Its model depends on the project's device."""

    name = "measuring"
    config = PassConfig

    def measures_on(self, config: PassConfig) -> str | None:
        return ""

    def apply(
        self, model: nn.Module, config: PassConfig, context: ModelContext
    ) -> tuple[nn.Module, str]:
        assert context.devices is not None
        return model, f"measured on {context.devices('').name}"


def test_what_was_measured_on_one_device_is_not_taken_for_another(
    tiny_task: Callable[..., Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "load_pass", lambda name: Measuring())
    plan = VariantPlan("measured", ("torchscript",), (PassStep("measuring", {}),))

    for name in ("board", "other"):
        _, made = build_variants(tiny_task(), [plan], tmp_path / "out", devices=_always(name))
        assert f"measured on {name}" in made.lineage
