"""Compression that asks the real device: the local agent, as ``trimtab compress`` uses it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn
from trimtab.campaign.target_device import devices_of
from trimtab.compress.passes import ModelContext
from trimtab.compress.passes.pruning.amounts import AmountRequest, layer_amounts
from trimtab.project import MeasureSettings
from trimtab.task import load_task

pytestmark = [pytest.mark.slow, pytest.mark.alone]

# By far the most of the time is in "wide"; its weights are as many as those of "narrow".
TASK = """
import torch
from torch import nn

def model():
    torch.manual_seed(0)
    return nn.Sequential(
        *[nn.Conv2d(3, 32, 3, padding=1), nn.ReLU()],
        *[nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.AvgPool2d(8)],
        *[nn.Conv2d(32, 32, 3, padding=1), nn.ReLU()],
        *[nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)],
    )

def example_inputs():
    return torch.zeros(1, 3, 64, 64)

def calibration_data():
    yield torch.randn(32, 3, 64, 64)
"""
FIRST, WIDE, NARROW, HEAD = "0", "2", "5", "9"


def _prune(model: nn.Module, shares: Mapping[str, float]) -> nn.Module:
    smaller = copy.deepcopy(model)
    readers = {FIRST: WIDE, WIDE: NARROW, NARROW: HEAD}
    for name, share in shares.items():
        layer, reader = smaller.get_submodule(name), smaller.get_submodule(readers[name])
        assert isinstance(layer, nn.Conv2d)
        assert isinstance(reader, nn.Conv2d | nn.Linear)
        kept = layer.weight.abs().flatten(1).sum(1).argsort()[round(share * 32) :]
        layer.weight = nn.Parameter(layer.weight[kept].detach())
        assert layer.bias is not None
        layer.bias = nn.Parameter(layer.bias[kept].detach())
        reader.weight = nn.Parameter(reader.weight[:, kept].detach())
    return smaller


def test_what_costs_on_the_local_device_is_what_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path / "home"))
    (tmp_path / "task.py").write_text(TASK)
    task = load_task(tmp_path / "task.py", seed=0)
    said: list[str] = []
    measure = MeasureSettings(repeats=1, min_duration_s=0.1, max_retries=0)
    devices = devices_of(task, measure, ("local",), said.append)
    context = replace(ModelContext(task, tmp_path, said.append), devices=devices)
    request = AmountRequest(task.model, 0.5, (FIRST, WIDE, NARROW), "profile", context, _prune)

    times = devices("").layer_times(task.model, task)
    amounts = layer_amounts(request)

    assert set(times) == {FIRST, WIDE, NARROW, HEAD}
    assert times[WIDE] > 5 * times[NARROW] > 0
    assert amounts[WIDE] > 5 * amounts[NARROW]
    assert "as measured on local" in amounts.summary
    assert sum("profiling" in line for line in said) == 2  # whole and cut, each once


def test_figures_of_a_file_come_from_the_local_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_data: Path
) -> None:
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path / "home"))
    (tmp_path / "task.py").write_text(TASK)
    measure = MeasureSettings(repeats=1, min_duration_s=0.1, max_retries=0)
    device = devices_of(load_task(tmp_path / "task.py", seed=0), measure)("local")
    file = shared_data / "models" / "mnist.onnx"

    # Of all figures those that another's load on the machine does not make invalid.
    assert 10 < device.figure(file, "onnx", "memory_peak_mb") < 1000
    assert device.figure(file, "onnx", "size_mb") == pytest.approx(file.stat().st_size / 1e6)
    assert all(ms > 0 for ms in device.operator_times(file, "onnx").values())
