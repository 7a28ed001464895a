"""A torch model that a format cannot carry: a line each, with the user's own line in it."""

from pathlib import Path

import pytest
from trimtab.export import build_variants
from trimtab.project import PassStep, VariantPlan
from trimtab.records import Variant
from trimtab.task import load_task

HEAD = """
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 64)

    def forward(self, x, t=None):
"""
TAIL = """
def model():
    return Model()

def example_inputs():
    return torch.ones(1, 8)

def calibration_data():
    return [torch.randn(4, 8)]
"""
HALF = VariantPlan("half", ("onnx", "tflite"), (PassStep("quantize", {"scheme": "fp16"}),))


def build(folder: Path, forward: str, tail: str = TAIL) -> dict[tuple[str, str], Variant]:
    file = folder / "task.py"
    file.write_text(HEAD + forward + tail)
    made = build_variants(load_task(file, 0), [HALF], folder / "out")
    return {(each.name, each.format): each for each in made}


def reasons(variants: dict[tuple[str, str], Variant]) -> dict[tuple[str, str], str]:
    return {key: each.failure.message for key, each in variants.items() if each.failure}


def test_control_flow_on_data_is_named_with_its_line(tmp_path: Path) -> None:
    forward = "        if x.sum() > 0:\n            return self.linear(x)\n        return x\n"
    refused = reasons(build(tmp_path, forward))
    assert len(refused) == 4
    for text in refused.values():
        assert "depends on values in its data (task.py:11), which" in text
        assert "torch.where or torch.cond" in text
        assert "\n" not in text


@pytest.mark.slow
def test_value_taken_out_of_the_data_fails_where_it_cannot_be_carried(tmp_path: Path) -> None:
    made = build(tmp_path, "        return self.linear(x) * x.max().item()\n")
    refused = reasons(made)
    assert set(refused) == {("float", "tflite"), ("half", "tflite")}
    assert "depends on values in its data" in refused["float", "tflite"]
    assert made["half", "onnx"].artifact is not None


@pytest.mark.slow
def test_operator_that_no_format_has_is_named(tmp_path: Path) -> None:
    forward = "        return self.linear(x) + torch.linalg.svdvals(x[:, :, None])[:, :1]\n"
    refused = reasons(build(tmp_path, forward))
    for (_, model_format), text in refused.items():
        assert text.startswith(f"{model_format} has no equivalent of the operator aten._linalg_svd")
    assert len(refused) == 4


@pytest.mark.slow
def test_input_without_axes_is_carried_by_every_format(tmp_path: Path) -> None:
    tail = TAIL.replace("torch.ones(1, 8)", "(torch.ones(1, 8), torch.tensor(2.0))")
    tail = tail.replace("[torch.randn(4, 8)]", "[(torch.randn(4, 8), torch.tensor(2.0))] * 2")
    made = build(tmp_path, "        return self.linear(x) * t\n", tail)
    assert reasons(made) == {}
    for variant in made.values():
        assert any("on 8 samples the outputs differ" in line for line in variant.lineage)
