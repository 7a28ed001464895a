"""One command for every model there is; and models with unusual inputs."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

pytestmark = [pytest.mark.slow, pytest.mark.alone]

RUNTIMES = {"onnx": "onnxruntime", "tflite": "litert"}
Trimtab = Callable[..., subprocess.CompletedProcess[str]]
QUICK = ("--repeats", 1, "--min-duration", "20ms", "--min-samples", 20, "--format", "json")


def results(run: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert "Traceback" not in run.stderr
    content: list[dict[str, Any]] = json.loads(run.stdout)["results"]
    return content


def test_every_model_is_measured_by_one_command_and_the_unloadable_is_named(
    trimtab: Trimtab, shared_data: Path
) -> None:
    models = sorted((shared_data / "models").glob("*.onnx"))
    models += sorted((shared_data / "models").glob("*.tflite"))
    run = trimtab("bench", *models, "--runtime", "onnxruntime", "--runtime", "litert", *QUICK)

    assert run.returncode == 3
    found = {each["artifact"]["file"]: each for each in results(run)}
    assert len(found) == len(models) == len(results(run))
    for name, result in found.items():
        assert result["runtime"]["name"] == RUNTIMES[result["artifact"]["format"]]
        if name.startswith("unloadable"):
            assert result["error"]["class"] == "model"
            assert "quantized_dimension" in result["error"]["message"]
            assert result["metrics"] == {}
        else:
            assert result["error"] is None, name
            assert result["metrics"]["latency_p50_ms"]["value"] > 0
            assert result["metrics"]["memory_peak_mb"]["value"] > 1
    (line,) = [each for each in run.stderr.splitlines() if each.startswith("failed: ")]
    assert line.startswith("failed: unloadable_person_detect.tflite")
    assert ": model: " in line


@pytest.fixture
def two_inputs(tmp_path: Path) -> Path:
    """``sum``: a float input with an open batch and length, plus an int8 one alike."""
    shape = ["batch", "length"]
    left = helper.make_tensor_value_info("left", TensorProto.FLOAT, shape)
    right = helper.make_tensor_value_info("right", TensorProto.INT8, shape)
    out = helper.make_tensor_value_info("sum", TensorProto.FLOAT, shape)
    nodes = [
        helper.make_node("Cast", ["right"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["left", "real"], ["sum"]),
    ]
    graph = helper.make_graph(nodes, "sum", [left, right], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, tmp_path / "two.onnx")
    return tmp_path / "two.onnx"


def test_open_dimensions_without_a_shape_name_every_input(
    trimtab: Trimtab, two_inputs: Path
) -> None:
    run = trimtab("bench", two_inputs, *QUICK)

    assert run.returncode == 3
    (result,) = results(run)
    assert result["error"]["class"] == "model"
    assert "open dimensions: left ?x?, right ?x?" in result["error"]["message"]
    assert "--shape left=1xN --shape right=1xN" in result["error"]["message"]


def test_several_inputs_of_several_types_and_an_open_batch(
    trimtab: Trimtab, two_inputs: Path, tmp_path: Path
) -> None:
    shapes = ("--shape", "left=4x6", "--shape", "right=4x6")
    left = np.arange(54, dtype=np.float32).reshape(9, 6)
    right = np.arange(54, dtype=np.int8).reshape(9, 6)
    np.savez(tmp_path / "in.npz", left=left, right=right)
    np.savez(tmp_path / "out.npz", sum=left + right)

    (random,) = results(trimtab("bench", two_inputs, *shapes, *QUICK))
    real = ("--inputs", tmp_path / "in.npz", "--reference", tmp_path / "out.npz")
    (given,) = results(trimtab("bench", two_inputs, *shapes, *real, *QUICK))

    assert random["error"] is None
    assert given["error"] is None
    assert given["metrics"]["max_abs_difference"]["value"] == 0.0


def test_an_open_batch_is_set_in_litert_too(trimtab: Trimtab, shared_data: Path) -> None:
    model = shared_data / "models" / "ad01_int8.tflite"
    one, eight = (
        results(trimtab("bench", model, "--shape", f"input_1={batch}x640", *QUICK))[0]
        for batch in (1, 8)
    )
    assert one["error"] is None
    assert eight["error"] is None
    assert eight["settings"]["input_shapes"] == {"input_1": [8, 640]}


def test_a_shape_for_no_input_names_those_there_are(trimtab: Trimtab, two_inputs: Path) -> None:
    (result,) = results(trimtab("bench", two_inputs, "--shape", "x=1x6", *QUICK))
    assert "'x'" in result["error"]["message"]
    assert "left, right" in result["error"]["message"]


OPEN = (-1, 4)


@pytest.fixture
def every_type(tmp_path: Path, write_tflite: Callable[..., None]) -> list[Path]:
    """The sum of inputs of four types, an open batch each: many.onnx and many.tflite."""
    types = {"int64": "INT64", "bool": "BOOL", "float16": "FLOAT16"}
    nodes = [
        *(helper.make_node("Cast", [name], [f"real_{name}"], to=1) for name in types),
        helper.make_node("Sum", ["float32", *(f"real_{name}" for name in types)], ["sum"]),
    ]
    shape: list[str | int | None] = ["batch", 4]
    inputs = [
        helper.make_tensor_value_info(name, getattr(TensorProto, kind), shape)
        for name, kind in {**types, "float32": "FLOAT"}.items()
    ]
    out = helper.make_tensor_value_info("sum", TensorProto.FLOAT, shape)
    model = helper.make_model(
        helper.make_graph(nodes, "many", inputs, [out]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    onnx.save(model, tmp_path / "many.onnx")
    tensors = {name: (OPEN, name) for name in (*types, "float32")}
    inside = ("real_int64", "real_bool", "real_float16", "a", "b", "sum")
    write_tflite(
        tmp_path / "many.tflite",
        tensors | dict.fromkeys(inside, (OPEN, "float32")),
        [
            *(("CAST", [name], [f"real_{name}"]) for name in types),
            ("ADD", ["real_int64", "real_bool"], ["a"]),
            ("ADD", ["a", "real_float16"], ["b"]),
            ("ADD", ["b", "float32"], ["sum"]),
        ],
        list(tensors),
        ["sum"],
    )
    return [tmp_path / "many.onnx", tmp_path / "many.tflite"]


def test_many_inputs_of_every_type_and_an_open_batch_in_both_runtimes(
    trimtab: Trimtab, every_type: list[Path], tmp_path: Path
) -> None:
    count = 5
    given = {
        "int64": np.arange(count * 4, dtype=np.int64).reshape(count, 4),
        "bool": np.arange(count * 4).reshape(count, 4) % 3 == 0,
        "float16": np.linspace(0, 1, count * 4, dtype=np.float16).reshape(count, 4),
        "float32": np.linspace(-2, 2, count * 4, dtype=np.float32).reshape(count, 4),
    }
    np.savez(tmp_path / "in.npz", **given)
    np.savez(tmp_path / "out.npz", sum=sum(each.astype(np.float32) for each in given.values()))
    real = ("--inputs", tmp_path / "in.npz", "--reference", tmp_path / "out.npz")

    alone = results(trimtab("bench", *every_type, *QUICK))
    batches = results(trimtab("bench", *every_type, "--batch-size", 4, *real, *QUICK))

    for result in (*alone, *batches):
        assert result["error"] is None
        assert result["metrics"]["latency_p50_ms"]["value"] > 0
    for result in batches:
        assert result["settings"]["batch_size"] == 4
        assert result["metrics"]["max_abs_difference"]["value"] < 1e-3


def test_strings_are_refused_in_one_line_in_both_runtimes(
    trimtab: Trimtab, tmp_path: Path, write_tflite: Callable[..., None]
) -> None:
    text = helper.make_tensor_value_info("text", TensorProto.STRING, [1])
    same = helper.make_tensor_value_info("same", TensorProto.STRING, [1])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["text"], ["same"])], "t", [text], [same]
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "text.onnx")
    write_tflite(
        tmp_path / "text.tflite",
        {"text": ((1,), "string"), "x": ((1, 4), "float32"), "y": ((1, 4), "float32")},
        [("TANH", ["x"], ["y"])],
        ["text", "x"],
        ["y"],
    )
    run = trimtab("bench", tmp_path / "text.onnx", tmp_path / "text.tflite", *QUICK)

    assert run.returncode == 3
    for result in results(run):
        assert result["error"]["class"] == "model"
        assert "'text' is of type" in result["error"]["message"]
        assert "string" in result["error"]["message"]
        assert "\n" not in result["error"]["message"]
