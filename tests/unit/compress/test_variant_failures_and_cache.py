"""One failing recipe leaves the others alone; what was made before is not made again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest
import torch
from trimtab import plugins
from trimtab.compress.cache import Cache
from trimtab.compress.passes import ModelPass, PassConfig, PassContext
from trimtab.compress.passes.quantization.ranges import Method
from trimtab.export import build_variants, load_exporter
from trimtab.export.onnx import OnnxExporter
from trimtab.project import PassStep, VariantPlan
from trimtab.records import UserError, Variant
from trimtab.task import Task

CALIBRATION = (
    "def calibration_data():\n"
    "    torch.manual_seed(1)\n"
    "    return [torch.randn(16, 8) for _ in range(4)]\n"
)
MakeTask = Callable[..., Task]


def plan(name: str, formats: tuple[str, ...] = ("onnx",), **settings: Any) -> VariantPlan:
    return VariantPlan(name, formats, (PassStep("quantize", settings),))


STATIC: dict[str, Any] = {"scheme": "static", "samples": 32, "method": "minmax"}


def by_name(variants: list[Variant]) -> dict[str, Variant]:
    return {each.name: each for each in variants}


def digest(variant: Variant) -> str:
    assert variant.artifact is not None, variant.failure
    return variant.artifact.sha256


def reason(variant: Variant) -> str:
    assert variant.artifact is None
    assert variant.failure is not None
    assert variant.failure.failure_class == "model"
    return variant.failure.message


def test_missing_calibration_data_fails_that_variant_by_name(
    tiny_task: MakeTask, tmp_path: Path
) -> None:
    plans = [plan("static", **STATIC), plan("half", scheme="fp16")]
    made = by_name(build_variants(tiny_task(), plans, tmp_path / "out"))
    assert reason(made["static"]) == "quantize needs calibration_data(), which task.py lacks"
    assert made["half"].artifact is not None
    assert not (tmp_path / "out" / "static.onnx").exists()


def test_model_without_matmul_says_that_nothing_was_quantized(
    tiny_task: MakeTask, tmp_path: Path
) -> None:
    task = tiny_task(layer="nn.ReLU()")
    made = by_name(build_variants(task, [plan("dynamic", scheme="dynamic")], tmp_path))
    assert "no MatMul or Gemm" in reason(made["dynamic"])
    assert made["float"].artifact is not None


def test_format_that_cannot_carry_a_setting_says_so(tiny_task: MakeTask, tmp_path: Path) -> None:
    unsigned = plan("cut", ("tflite",), **{**STATIC, "activations": "uint8"})
    made = by_name(build_variants(tiny_task(CALIBRATION), [unsigned], tmp_path))
    assert "tflite has int8 activations only, not uint8" in reason(made["cut"])


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
def test_every_calibration_method_gives_ranges_of_its_own(
    tiny_task: MakeTask, tmp_path: Path, model_format: str
) -> None:
    """A method that changes nothing would be a false word in the lineage."""
    methods = get_args(Method)
    static = {"scheme": "static", "samples": 512}
    plans = [plan(each, (model_format,), **static, method=each) for each in methods]
    tailed = CALIBRATION.replace("torch.randn(16, 8)", "torch.randn(128, 8) ** 3")
    made = build_variants(tiny_task(tailed), plans, tmp_path)
    digests = {digest(each) for each in made if not each.is_float}
    assert len(digests) == len(methods) > 1


def test_export_that_computes_something_else_is_refused_with_the_figures(
    tiny_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = OnnxExporter.run
    monkeypatch.setattr(
        OnnxExporter, "run", lambda *args: tuple(each + 0.5 for each in honest(*args))
    )
    made = build_variants(tiny_task(), [plan("half", scheme="fp16")], tmp_path)
    for variant in made:
        assert "the file is not the model" in reason(variant)
        assert "differ from the torch model's by at most 0.5" in reason(variant)


def test_model_that_fails_is_an_error_with_its_line(tiny_task: MakeTask, tmp_path: Path) -> None:
    task = tiny_task(layer="nn.Linear(8, -4)")
    with pytest.raises(UserError, match=r"task\.py:4: model\(\) failed"):
        build_variants(task, [], tmp_path)


def test_second_build_makes_nothing_anew(
    tiny_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = [plan("static", **STATIC)]
    first = build_variants(tiny_task(CALIBRATION), plans, tmp_path / "out")
    monkeypatch.setattr(OnnxExporter, "export", lambda *args: pytest.fail("exported again"))
    second = build_variants(tiny_task(CALIBRATION), plans, tmp_path / "out")
    assert second == first


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"layer": "nn.Linear(8, 4), nn.ReLU()"}], ids=["weights", "program"]
)
def test_other_model_is_another_entry(
    tiny_task: MakeTask, tmp_path: Path, other: dict[str, Any]
) -> None:
    plans = [plan("half", scheme="fp16")]
    first = build_variants(tiny_task(), plans, tmp_path)
    second = build_variants(tiny_task(**other), plans, tmp_path)
    for before, after in zip(first, second, strict=True):
        assert digest(before) != digest(after)


def test_other_calibration_data_is_another_entry(tiny_task: MakeTask, tmp_path: Path) -> None:
    plans = [plan("static", **STATIC)]
    first = by_name(build_variants(tiny_task(CALIBRATION), plans, tmp_path))
    wider = tiny_task(CALIBRATION.replace("torch.randn(16, 8)", "3 * torch.randn(16, 8)"))
    second = by_name(build_variants(wider, plans, tmp_path))
    assert digest(first["float"]) == digest(second["float"])
    assert digest(first["static"]) != digest(second["static"])


def test_damaged_entry_is_not_used(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    (tmp_path / "model").write_bytes(b"right")
    cache.keep("key", tmp_path / "model", ("made",))
    assert cache.fetch("key", tmp_path / "copy") == ("made",)
    assert (tmp_path / "copy").read_bytes() == b"right"
    stored = next(each for each in (tmp_path / "cache").iterdir() if each.suffix != ".json")
    stored.write_bytes(b"wrong")
    assert cache.fetch("key", tmp_path / "other") is None
    assert not (tmp_path / "other").exists()


def test_torn_entry_is_not_used(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    (tmp_path / "model").write_bytes(b"right")
    cache.keep("key", tmp_path / "model", ("made",))
    entry = next(each for each in tmp_path.iterdir() if each.suffix == ".json")
    entry.write_text(json.dumps({"sha256": "0"})[:-4])
    assert cache.fetch("key", tmp_path / "other") is None


class HalveConfig(PassConfig):
    factor: float = 0.5


class HalvePass(ModelPass[HalveConfig]):
    """A pass of the model stage: it scales every weight."""

    name: ClassVar[str] = "halve"
    config: ClassVar[type[PassConfig]] = HalveConfig

    def apply(
        self, model: torch.nn.Module, config: HalveConfig, context: PassContext
    ) -> tuple[torch.nn.Module, str]:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(config.factor)
        return model, f"weights scaled by {config.factor:g}"


def test_pass_on_the_model_runs_before_export_and_on_a_copy(
    tiny_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = plugins.load_plugin

    def with_halve(group: str, name: str) -> plugins.Plugin:
        return plugins.Plugin(name, HalvePass) if name == "halve" else real(group, name)

    monkeypatch.setattr("trimtab.compress.passes.registry.load_plugin", with_halve)
    halve, half = PassStep("halve", {"factor": 0.5}), PassStep("quantize", {"scheme": "fp16"})
    plans = [
        VariantPlan("halved", ("onnx",), (halve, half)),
        VariantPlan("backwards", ("onnx",), (half, halve)),
    ]
    task = tiny_task(CALIBRATION)
    before = [parameter.clone() for parameter in task.model.parameters()]
    made = by_name(build_variants(task, plans, tmp_path))
    for old, new in zip(before, task.model.parameters(), strict=True):
        assert torch.equal(old, new)
    assert made["halved"].lineage[0] == "weights scaled by 0.5"
    assert "put it first" in reason(made["backwards"])
    inputs = {"input": task.calibration(4)[0]}
    run = load_exporter("onnx").run
    whole = run(tmp_path / "float.onnx", inputs)[0]
    assert run(tmp_path / "halved.onnx", inputs)[0] == pytest.approx(whole / 2, abs=1e-2)
    assert abs(whole).max() > 0.1
