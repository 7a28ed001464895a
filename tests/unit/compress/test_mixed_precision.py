"""Mixed precision finds what int8 breaks, keeps that out, and says on which data it looked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trimtab.compress.passes.quantization.mixed_precision import MixedPrecisionConfig
from trimtab.export import build_variants, load_exporter
from trimtab.project import PassStep, VariantPlan
from trimtab.records import Variant
from trimtab.task import Task, load_task

MakeTask = Callable[..., Task]
DATA = (
    "def calibration_data():\n"
    "    torch.manual_seed(1)\n"
    "    return [torch.randn(16, 8) for _ in range(4)]\n"
)
TWO_LAYERS = "nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)"


def plan(name: str, formats: tuple[str, ...] = ("onnx",), **settings: Any) -> VariantPlan:
    return VariantPlan(name, formats, (PassStep("mixed_precision", settings),))


def built(task: Task, folder: Path, *plans: VariantPlan) -> dict[tuple[str, str], Variant]:
    return {(each.name, each.format): each for each in build_variants(task, plans, folder)}


def reason(variant: Variant) -> str:
    assert variant.failure is not None, variant.lineage
    return variant.failure.message


def size(variant: Variant) -> int:
    assert variant.artifact is not None, variant.failure
    return variant.artifact.size_bytes


def accuracy(variant: Variant, task: Task) -> float:
    assert variant.artifact is not None, variant.failure
    (images,), labels = task.evaluation
    inputs = dict(zip(task.input_names, (images,), strict=True))
    outputs = load_exporter(variant.format).run(variant.artifact.files[0].path, inputs)
    return float(np.mean(outputs[0].argmax(axis=-1) == labels))


@pytest.fixture(scope="module")
def fragile() -> Task:
    return load_task(Path(__file__).with_name("fragile_task.py"), seed=0)


@pytest.fixture(scope="module")
def made(fragile: Task, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Variant]:
    formats = ("onnx", "tflite")
    static = VariantPlan("int8", formats, (PassStep("quantize", {"scheme": "static"}),))
    return built(
        fragile,
        tmp_path_factory.mktemp("fragile"),
        static,
        plan("mixed", formats, max_drop=0.01),
        plan("mixed16", formats, max_drop=0.05, fallback="int16"),
    )


@pytest.mark.slow
@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
class TestFragileNetwork:
    def test_finds_the_layers_on_both_sides_of_the_outlier(
        self, made: dict[tuple[str, str], Variant], model_format: str
    ) -> None:
        mixed = made["mixed", model_format]
        assert [each.name for each in mixed.layers if each.precision == "float"] == ["0", "2"]
        assert "float: " in mixed.lineage[-2]
        worst = sorted(mixed.layers, key=lambda each: each.sqnr_db)[:2]
        assert {each.name for each in worst} == {"0", "2"}

    def test_recovers_most_of_what_int8_lost_for_few_bytes(
        self, made: dict[tuple[str, str], Variant], fragile: Task, model_format: str
    ) -> None:
        full = accuracy(made["float", model_format], fragile)
        int8 = accuracy(made["int8", model_format], fragile)
        mixed = accuracy(made["mixed", model_format], fragile)
        assert full - int8 > 0.1
        assert (mixed - int8) / (full - int8) >= 0.8
        assert size(made["mixed", model_format]) <= 1.1 * size(made["int8", model_format])

    def test_int16_activations_do_it_for_hardly_a_byte(
        self, made: dict[tuple[str, str], Variant], fragile: Task, model_format: str
    ) -> None:
        mixed = made["mixed16", model_format]
        assert {each.precision for each in mixed.layers} == {"int8", "int16"}
        full, int8 = (accuracy(made[name, model_format], fragile) for name in ("float", "int8"))
        assert (accuracy(mixed, fragile) - int8) / (full - int8) >= 0.8
        assert size(mixed) <= 1.04 * size(made["int8", model_format])


def test_lineage_says_which_data_was_looked_at(tiny_task: MakeTask, tmp_path: Path) -> None:
    task = tiny_task(DATA, layer=TWO_LAYERS)
    mixed = built(task, tmp_path, plan("m", samples=40, judged=24, max_drop=0.5))["m", "onnx"]
    assert (
        "ranges from 40 samples of calibration_data(), judged on the next 24 by the float file's "
        "own outputs (no labels, no eval_data)"
    ) in mixed.lineage[-2]
    assert [each.precision for each in mixed.layers] == ["int8", "int8"]
    assert [each.weight_bytes for each in mixed.layers] == [4 * 8 * 16, 4 * 16 * 4]


def test_short_supply_of_data_is_shared_out(tiny_task: MakeTask, tmp_path: Path) -> None:
    task = tiny_task(DATA, layer=TWO_LAYERS)
    mixed = built(task, tmp_path, plan("m", samples=100, judged=100, max_drop=0.5))["m", "onnx"]
    assert "ranges from 32 samples of calibration_data(), judged on the next 32" in "".join(
        mixed.lineage
    )


def test_chart_survives_the_cache(tiny_task: MakeTask, tmp_path: Path) -> None:
    task = tiny_task(DATA, layer=TWO_LAYERS)
    wanted = plan("m", samples=40, judged=24, max_drop=0.5)
    cache = tmp_path / "cache"
    first, second = (
        build_variants(task, [wanted], tmp_path / name, cache_dir=cache)[1] for name in "ab"
    )
    assert first.layers
    assert second.layers == first.layers
    assert second.lineage == first.lineage
    assert [made.layers for made in build_variants(task, [], tmp_path / "c", cache_dir=cache)] == [
        (),
        (),
    ]


def test_progress_names_each_layer(tiny_task: MakeTask, tmp_path: Path) -> None:
    task, lines = tiny_task(DATA, layer=TWO_LAYERS), list[str]()
    build_variants(task, [plan("m", samples=40, judged=24)], tmp_path, lines.append)
    assert any("layer 2/2 alone in int8" in line for line in lines)


def test_limit_that_nothing_keeps_is_refused_with_the_worst_layer(
    tiny_task: MakeTask, tmp_path: Path
) -> None:
    task = tiny_task(DATA, layer=TWO_LAYERS)
    mixed = built(task, tmp_path, plan("m", samples=40, judged=24, min_sqnr_db=120.0))["m", "onnx"]
    assert "no layer can be int8 within the limit (an SQNR of at least 120 dB)" in reason(mixed)


def test_outputs_that_are_no_scores_need_another_limit(tiny_task: MakeTask, tmp_path: Path) -> None:
    task = tiny_task(DATA, layer="nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1)")
    plans = (
        plan("answers", samples=40, judged=24),
        plan("signal", samples=40, judged=24, min_sqnr_db=10.0),
    )
    made = built(task, tmp_path, *plans)
    assert reason(made["answers", "onnx"]) == (
        "the outputs are no scores to take an answer from: give min_sqnr_db as the limit"
    )
    assert [each.changed for each in made["signal", "onnx"].layers] == [None, None]


def test_model_without_layers_is_refused(tiny_task: MakeTask, tmp_path: Path) -> None:
    mixed = built(tiny_task(DATA, layer="nn.ReLU()"), tmp_path, plan("m"))["m", "onnx"]
    assert reason(mixed) == "the file has no layer that static quantization knows"


def test_the_document_names_every_setting_with_its_default() -> None:
    document = Path(__file__).parents[3].joinpath("docs", "mixed-precision.md").read_text()
    for name, setting in MixedPrecisionConfig.model_fields.items():
        default = "–" if setting.default is None else str(setting.default)
        row = next(line for line in document.splitlines() if line.startswith(f"| `{name}`"))
        assert row.split("|")[2].strip(" `") == default


def test_latency_needs_a_profile_and_a_profile_latency() -> None:
    for settings in ({"weigh": "latency"}, {"profile": "profile.json"}):
        with pytest.raises(ValueError, match="belong together"):
            MixedPrecisionConfig.model_validate(settings)


class TestByLatency:
    """The profile is of the float file by its hash, and of an int8 file beside it."""

    @pytest.fixture
    def task(self, tiny_task: MakeTask) -> Task:
        return tiny_task(DATA, layer=TWO_LAYERS)

    def profile(self, task: Task, folder: Path, *int8_ms: float) -> dict[str, Any]:
        exported = build_variants(task, [plan("m", samples=40, judged=24)], folder / "first")[0]
        assert exported.artifact is not None
        documents = [
            self.result(exported.artifact.sha256, (0.2, 0.2)),
            self.result("another", int8_ms),
        ]
        return {"schema": "trimtab.bench/1", "results": documents}

    def result(self, sha256: str, times: tuple[float, ...]) -> dict[str, Any]:
        operators = [{"type": "Gemm", "name": f"fused {t}", "total_ms": t} for t in times]
        relu = {"type": "Relu", "name": "relu", "total_ms": 0.01}
        return {
            "artifact": {"file": f"{sha256}.onnx", "format": "onnx", "sha256": sha256},
            "profile": {"operators": [*operators, relu], "unavailable": None},
        }

    def made(self, task: Task, folder: Path, document: dict[str, Any]) -> Variant:
        (task.path.parent / "profile.json").write_text(json.dumps(document))
        weighed = plan(
            "m", samples=40, judged=24, max_drop=0.5, weigh="latency", profile="profile.json"
        )
        return built(task, folder, weighed)["m", "onnx"]

    def test_layer_that_buys_no_time_stays_float(self, task: Task, tmp_path: Path) -> None:
        mixed = self.made(task, tmp_path, self.profile(task, tmp_path, 0.1, 0.3))
        assert [each.precision for each in mixed.layers] == ["int8", "float"]
        assert mixed.layers[1].reason == "int8 buys no time: 0.2 -> 0.3 ms"
        assert mixed.layers[0].saved_ms == pytest.approx(0.1)
        assert "int8 buys no time: 0.2 -> 0.3 ms" in mixed.lineage[-2]

    def test_network_that_is_not_faster_anywhere_is_refused(
        self, task: Task, tmp_path: Path
    ) -> None:
        mixed = self.made(task, tmp_path, self.profile(task, tmp_path, 0.2, 0.3))
        assert "no layer is faster in int8" in reason(mixed)

    @pytest.mark.slow
    def test_profile_of_other_files_is_refused(self, task: Task, tmp_path: Path) -> None:
        document = self.profile(task, tmp_path, 0.1, 0.1)
        for result, told in (
            (document["results"][1], "has no profile of this float file"),
            (document["results"][0], "has no profile of an int8 file beside it"),
        ):
            mixed = self.made(task, tmp_path, {**document, "results": [result]})
            assert told in reason(mixed)

    @pytest.mark.slow
    def test_operators_that_cannot_be_told_apart_are_refused(
        self, task: Task, tmp_path: Path
    ) -> None:
        mixed = self.made(task, tmp_path, self.profile(task, tmp_path, 0.1, 0.1, 0.1))
        assert "3 operators like products, the file 2" in reason(mixed)
