"""Bad calibration data is one clear line for the variant that needs it; the others go on."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trimtab.compress.passes import PassRejected
from trimtab.compress.passes.quantization.calibration import calibration_data
from trimtab.compress.passes.quantization.quantize import QuantizeConfig
from trimtab.export import build_variants
from trimtab.project import PassStep, VariantPlan
from trimtab.records import UserError, Variant
from trimtab.task import Task, load_task

MakeTask = Callable[..., Task]
STATIC: dict[str, Any] = {"scheme": "static", "samples": 32}
FORMATS = ("onnx", "tflite")


def plan(name: str, formats: tuple[str, ...] = ("onnx",), **settings: Any) -> VariantPlan:
    return VariantPlan(name, formats, (PassStep("quantize", settings),))


def giving(batches: str) -> str:
    return f"def calibration_data():\n    torch.manual_seed(1)\n    return {batches}\n"


def built(task: Task, out: Path, *plans: VariantPlan) -> dict[tuple[str, str], Variant]:
    made = build_variants(task, plans, out)
    return {(each.name, each.format): each for each in made}


def static_lineage(variant: Variant) -> str:
    assert variant.failure is None
    return next(each for each in variant.lineage if "calibrated on" in each)


def message(variant: Variant) -> str:
    assert variant.artifact is None
    assert variant.failure is not None
    assert "\n" not in variant.failure.message
    return variant.failure.message


@pytest.mark.parametrize(
    ("batches", "wanted"),
    [
        (
            "[torch.randn(16, 8), torch.full((16, 8), torch.nan)]",
            "gives for input input values that are NaN or infinite, in 16 of 32 samples "
            "(first: sample 16): leave them out",
        ),
        (
            "[torch.randn(15, 8), torch.full((1, 8), torch.inf)]",
            "in 1 of 16 samples (first: sample 15): leave them out",
        ),
        (
            "[torch.randn(16, 7)]",
            "float32 of shape (N, 7) where the model takes float32 of shape (N, 8)",
        ),
        ("[torch.randn(1, 8)]", "gives one sample, and a range seen once says nothing"),
        (
            "[torch.arange(16)]",
            "int64 of shape (N) where the model takes float32 of shape (N, 8): "
            "labels in place of inputs?",
        ),
        (
            "[torch.ones(16, 8, dtype=torch.uint8)]",
            "uint8 of shape (N, 8) where the model takes float32 of shape (N, 8): convert it",
        ),
        (
            "[(torch.randn(16, 8), torch.arange(16))]",
            "gives 2 inputs where the model takes 1 (input): give a tuple of all of them",
        ),
        (
            "[torch.tensor(1.0)]",
            "float32 of shape () (0-d) where the model takes float32 of shape (N, 8)",
        ),
        ("[]", "must give at least one batch"),
    ],
    ids=[
        *("nan", "infinite", "shape", "one-sample", "labels", "bytes"),
        *("labels-too", "no-axis", "empty"),
    ],
)
def test_bad_samples_are_refused_in_words(tiny_task: MakeTask, batches: str, wanted: str) -> None:
    with pytest.raises((PassRejected, UserError), match=re.escape(wanted)):
        calibration_data(tiny_task(giving(batches)), 32, "task")


def test_samples_of_another_width_are_converted(tiny_task: MakeTask) -> None:
    task = tiny_task(giving("[torch.ones(16, 8, dtype=torch.float64)]"))
    ((_, samples),) = calibration_data(task, 16, "task").samples.items()
    assert samples.dtype == np.float32
    assert samples.shape == (16, 8)


def test_bad_samples_fail_static_alone(tiny_task: MakeTask, tmp_path: Path) -> None:
    plans = [plan("static", **STATIC), plan("half", scheme="fp16")]
    made = built(tiny_task(giving("[torch.randn(16, 7)]")), tmp_path / "out", *plans)
    assert made["half", "onnx"].artifact is not None
    assert made["float", "onnx"].artifact is not None
    assert "calibration_data() gives for input" in message(made["static", "onnx"])


def test_fewer_samples_than_asked_for_stand_in_the_lineage(
    tiny_task: MakeTask, tmp_path: Path
) -> None:
    task = tiny_task(giving("[torch.randn(16, 8)]"))
    made = built(task, tmp_path / "out", plan("static", **STATIC))
    assert "calibrated on 16 samples of calibration_data(), all there are where 32" in (
        static_lineage(made["static", "onnx"])
    )


def test_random_calibration_must_be_asked_for_and_is_confessed(
    tiny_task: MakeTask, tmp_path: Path
) -> None:
    """Without data of its own a task gets no ranges, unless random ones by name."""
    plans = [
        plan("silent", FORMATS, **STATIC),
        plan("random", FORMATS, **STATIC, calibration="random"),
    ]
    made = built(tiny_task(), tmp_path / "out", *plans)
    for model_format in FORMATS:
        assert "needs calibration_data()" in message(made["silent", model_format])
        assert "calibrated on 32 samples of RANDOM numbers (seed 0), not on data" in (
            static_lineage(made["random", model_format])
        )


def test_one_sample_is_no_setting() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        QuantizeConfig.model_validate({"scheme": "static", "samples": 1})


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"scheme": "dynamic", "samples": 8}, "samples is a setting of scheme static and"),
        ({"scheme": "fp16", "per_channel": True}, "per_channel is a setting of scheme"),
        ({"scheme": "static-int16", "activations": "int8"}, "activations is a setting of scheme"),
        ({"scheme": "weight-int8", "calibration": "random"}, "calibration is a setting of"),
        ({"scheme": "static", "percentile": 99.0}, "setting of method percentile alone"),
    ],
)
def test_settings_a_scheme_does_not_take_are_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        QuantizeConfig.model_validate(settings)


def test_percentile_has_its_default_written_down() -> None:
    config = QuantizeConfig.model_validate({"scheme": "static", "method": "percentile"})
    assert (config.samples, config.percentile) == (256, 99.999)


BRANCHING = """
import torch
from torch import nn

class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.second = nn.Linear(8, 8)
    def forward(self, x):
        y = self.first(x)
        return torch.cond(y.sum() > 0, lambda v: self.second(v), lambda v: v - 1, (y,))

def model():
    return Branching()
def example_inputs():
    return torch.zeros(1, 8)
def calibration_data():
    torch.manual_seed(1)
    return [torch.randn(1, 8) for _ in range(32)]
"""

SCALED = """
import torch
from torch import nn

class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(8, 4)
    def forward(self, x, factor):
        return self.inner(x) * factor

def model():
    return Scaled()
def example_inputs():
    return torch.ones(1, 8), torch.tensor(2.0)
def calibration_data():
    torch.manual_seed(1)
    return [(torch.randn(16, 8), torch.tensor(2.0)) for _ in range(2)]
"""


def test_branches_stay_float_and_that_is_told(tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text(BRANCHING)
    plans = [
        plan("static", FORMATS, **STATIC),
        plan("weights", FORMATS, scheme="weight-int8"),
        plan("dynamic", FORMATS, scheme="dynamic"),
    ]
    made = built(load_task(tmp_path / "task.py", seed=0), tmp_path / "out", *plans)
    assert made["float", "onnx"].artifact is not None
    for each in plans:
        assert any("what is inside If stays float" in s for s in made[each.name, "onnx"].lineage)
        told = message(made[each.name, "tflite"])
        assert told.startswith("tflite has no equivalent of the operator cond")


def test_input_without_an_axis_goes_through(tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text(SCALED)
    plans = [plan("static", FORMATS, **STATIC), plan("half", FORMATS, scheme="fp16")]
    made = built(load_task(tmp_path / "task.py", seed=0), tmp_path / "out", *plans)
    assert {key: variant.failure for key, variant in made.items()} == dict.fromkeys(made)


def test_operator_that_no_quantizer_knows_is_told_and_fp16_goes_on(
    tiny_task: MakeTask, tmp_path: Path
) -> None:
    """Nothing but a sine: there is nothing to hold in eight bits."""
    sine = "class Sine(nn.Module):\n    def forward(self, x):\n        return torch.sin(x)\n"
    task = tiny_task(giving("[torch.randn(16, 8)]") + sine, layer="Sine()")
    schemes = ("static", "dynamic", "weight-int8", "weight-int4", "dynamic-int4")
    plans = [plan(each, FORMATS, scheme=each) for each in schemes]
    made = built(task, tmp_path / "out", *plans)
    for model_format in FORMATS:
        assert made["float", model_format].artifact is not None
        for each in schemes:
            assert "nothing was quantized: the model has no" in message(made[each, model_format])
