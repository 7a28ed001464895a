"""The whole of compress on the starting project: real files, real runtimes, real figures."""

from pathlib import Path
from typing import Any

import ai_edge_litert.interpreter as litert
import numpy as np
import onnx
import onnxruntime
import pytest
from trimtab.artifact_files import artifact_from_file
from trimtab.export import build_variants, load_exporter
from trimtab.project import load_project
from trimtab.records import Variant
from trimtab.task import Task

Variants = dict[tuple[str, str], Variant]
FORMATS = ("onnx", "tflite")


@pytest.fixture(scope="module")
def variants(digits: Task, tmp_path_factory: pytest.TempPathFactory) -> Variants:
    project = load_project(digits.path.parent)
    made = build_variants(digits, project.variants, tmp_path_factory.mktemp("variants"))
    assert [each.failure for each in made] == [None] * 8
    return {(each.name, each.format): each for each in made}


def path_of(variant: Variant) -> Path:
    assert variant.artifact is not None
    return variant.artifact.files[0].path


def outputs(variant: Variant, digits: Task) -> np.ndarray:
    inputs = dict(zip(digits.input_names, digits.evaluation[0], strict=True))
    return load_exporter(variant.format).run(path_of(variant), inputs)[0]


def dtypes(variant: Variant) -> set[str]:
    """Of every tensor with more than one axis: weights, and in .tflite activations too."""
    if variant.format == "onnx":
        weights = onnx.load(path_of(variant)).graph.initializer
        return {
            onnx.helper.tensor_dtype_to_np_dtype(each.data_type).name
            for each in weights
            if len(each.dims) > 1
        }
    interpreter = litert.Interpreter(str(path_of(variant)))
    details = interpreter.get_tensor_details()
    return {np.dtype(each["dtype"]).name for each in details if len(each["shape"]) > 1}


def test_float_stands_first_in_every_format(variants: Variants) -> None:
    assert list(variants)[:2] == [("float", "onnx"), ("float", "tflite")]
    assert all(variants["float", each].is_float for each in FORMATS)


@pytest.mark.parametrize("model_format", FORMATS)
def test_float_model_reads_digits(variants: Variants, digits: Task, model_format: str) -> None:
    classes = outputs(variants["float", model_format], digits).argmax(axis=1)
    assert (classes == digits.evaluation[1]).mean() > 0.95


def test_evaluation_set_shares_no_image_with_the_training_set(digits: Task) -> None:
    trained = {images.tobytes() for batch, _ in digits.train_batches() for images in batch.numpy()}
    evaluated = [image.tobytes() for image in digits.evaluation[0][0]]
    assert (len(trained), len(evaluated)) == (1297, 500)
    assert trained.isdisjoint(evaluated)


@pytest.mark.parametrize("model_format", FORMATS)
def test_static_weights_are_int8_and_none_stays_float(
    variants: Variants, model_format: str
) -> None:
    seen = dtypes(variants["int8-static", model_format])
    assert "int8" in seen
    assert not {"float32", "float16"} & seen


@pytest.mark.parametrize("model_format", FORMATS)
def test_dynamic_weights_are_int8(variants: Variants, model_format: str) -> None:
    assert "int8" in dtypes(variants["int8-dynamic", model_format])


@pytest.mark.parametrize("model_format", FORMATS)
def test_fp16_weights_are_half_precision(variants: Variants, model_format: str) -> None:
    assert "float16" in dtypes(variants["fp16", model_format])


@pytest.mark.parametrize("model_format", FORMATS)
@pytest.mark.parametrize("name", ["fp16", "int8-dynamic", "int8-static"])
def test_files_shrink(variants: Variants, model_format: str, name: str) -> None:
    largest_share = {"fp16": 0.55, "int8-dynamic": 0.35, "int8-static": 0.35}[name]
    if (name, model_format) == ("int8-dynamic", "onnx"):
        largest_share = 0.65  # only MatMul and Gemm are quantized: convolutions stay float
    size = path_of(variants[name, model_format]).stat().st_size
    assert size < largest_share * path_of(variants["float", model_format]).stat().st_size


@pytest.mark.parametrize("model_format", FORMATS)
@pytest.mark.parametrize("name", ["fp16", "int8-dynamic", "int8-static"])
def test_outputs_stay_close_and_are_not_the_float_model_s(
    variants: Variants, digits: Task, name: str, model_format: str
) -> None:
    reference = outputs(variants["float", model_format], digits)
    difference = np.abs(outputs(variants[name, model_format], digits) - reference)
    assert 0 < np.median(difference) < 0.02 * np.abs(reference).max()


def run_as_written(path: Path, inputs: dict[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """ONNX Runtime's fused 8-bit products saturate on x86 without VNNI: there the unfused file is
    run, whose ranges are looked at here."""
    if path.suffix != ".onnx":
        return load_exporter("tflite").run(path, inputs)[0]
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options)
    outputs: list[np.ndarray[Any, Any]] = session.run(None, inputs)
    return outputs[0]


@pytest.mark.parametrize("model_format", FORMATS)
def test_static_ranges_span_the_calibration_data(
    variants: Variants, digits: Task, model_format: str
) -> None:
    """An average of ranges would clip the outputs of the very samples it was calibrated on."""
    inputs = dict(zip(digits.input_names, digits.calibration(256), strict=True))
    exporter = load_exporter(model_format)
    exact = exporter.run(path_of(variants["float", model_format]), inputs)[0]
    quantized = run_as_written(path_of(variants["int8-static", model_format]), inputs)
    step = float(exact.max() - exact.min()) / 255
    assert abs(quantized.max() - exact.max()) < 2 * step
    assert abs(quantized.min() - exact.min()) < 2 * step


def test_lineage_carries_the_figures_of_the_check(variants: Variants) -> None:
    for variant in variants.values():
        assert "verified: on 32 samples the outputs differ" in variant.lineage[1]
        assert variant.is_float or "checked: on 32 samples" in variant.lineage[-1]
    static = variants["int8-static", "onnx"]
    assert "calibrated on 256 samples of train_data() (minmax)" in static.lineage[2]
    assert static.recipe == (
        {"use": "quantize", "scheme": "static", "samples": 256, "method": "minmax"},
    )


def test_onnx_file_holds_no_path_of_this_machine(variants: Variants, digits: Task) -> None:
    content = path_of(variants["float", "onnx"]).read_bytes()
    assert b"site-packages" not in content
    assert str(digits.path.parent).encode() not in content


def test_artifact_is_the_file_that_was_written(variants: Variants) -> None:
    for (name, model_format), variant in variants.items():
        assert path_of(variant).name == f"{name}.{model_format}"
        assert variant.artifact == artifact_from_file(path_of(variant))
