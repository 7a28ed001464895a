"""Static quantization with operators that are named to stay float."""

from collections.abc import Callable
from pathlib import Path

import ai_edge_litert.interpreter as litert
import numpy as np
import onnx
import pytest
from trimtab.compress.passes import PassRejected
from trimtab.compress.passes.quantization import onnx_files, tflite_files
from trimtab.compress.quiet import quiet
from trimtab.export import build_variants
from trimtab.task import Task

MakeTask = Callable[..., Task]
TWO_LAYERS = "nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)"


@pytest.fixture
def floats(tiny_task: MakeTask, tmp_path: Path) -> Path:
    build_variants(tiny_task(layer=TWO_LAYERS), [], tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def data() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {"input": generator.standard_normal((32, 8)).astype(np.float32)}


def test_named_node_of_an_onnx_file(
    floats: Path, data: dict[str, np.ndarray], tmp_path: Path
) -> None:
    first = next(n for n in onnx.load(floats / "float.onnx").graph.node if n.op_type == "Gemm")
    target = tmp_path / "kept.onnx"
    onnx_files.static(
        floats / "float.onnx", target, data, "minmax", tmp_path, keep_float=[first.name]
    )
    weights = [each for each in onnx.load(target).graph.initializer if len(each.dims) == 2]
    types = {tuple(each.dims): each.data_type for each in weights}
    assert types == {(16, 8): onnx.TensorProto.FLOAT, (4, 16): onnx.TensorProto.INT8}


def test_named_output_of_a_tflite_file(
    floats: Path, data: dict[str, np.ndarray], tmp_path: Path
) -> None:
    source, target = floats / "float.tflite", tmp_path / "kept.tflite"
    name = next(
        each["name"]
        for each in litert.Interpreter(str(source)).get_tensor_details()
        if tuple(each["shape"]) == (1, 16)
    )
    with quiet():
        tflite_files.static(source, target, data, keep_float=[name])
    details = litert.Interpreter(str(target)).get_tensor_details()
    types = {tuple(each["shape"]): np.dtype(each["dtype"]).name for each in details}
    assert (types[16, 8], types[4, 16]) == ("float32", "int8")


def test_name_that_is_not_there_is_told(
    floats: Path, data: dict[str, np.ndarray], tmp_path: Path
) -> None:
    with pytest.raises(PassRejected, match="the file has no node nowhere"):
        onnx_files.static(
            floats / "float.onnx", tmp_path / "x", data, "minmax", tmp_path, keep_float=["nowhere"]
        )
    with quiet(), pytest.raises(PassRejected, match="no operator of the file writes nowhere"):
        tflite_files.static(floats / "float.tflite", tmp_path / "x", data, keep_float=["nowhere"])
