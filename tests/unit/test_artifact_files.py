"""Model files become artifacts by their bytes alone, without the library of their format."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import zstandard
from onnx import TensorProto, helper, numpy_helper
from trimtab.artifact_files import artifact_from_file
from trimtab.external_data import external_data_locations
from trimtab.records import UserError


def save_model(path: Path, location: str, in_subgraph: bool = False) -> Path:
    """An ONNX model whose one weight lies outside; the data file itself is not written."""
    weight = numpy_helper.from_array(np.arange(64, dtype=np.float32), "w")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "256"}.items():
        weight.external_data.add(key=key, value=value)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [64])
    node = helper.make_node("Identity", ["w"], ["y"])
    graph = helper.make_graph([node], "g", [], [y], [weight])
    if in_subgraph:
        condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
        branch = helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)
        graph = helper.make_graph([branch], "outer", [condition], [y])
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


def test_digest_and_download_size_are_those_of_the_file(shared_data: Path) -> None:
    path = shared_data / "models" / "resnet8_int8.tflite"
    artifact = artifact_from_file(path)
    content = path.read_bytes()
    assert (artifact.format, artifact.name) == ("tflite", "resnet8_int8.tflite")
    assert artifact.sha256 == hashlib.sha256(content).hexdigest()
    assert artifact.size_bytes == len(content)
    packed = zstandard.ZstdCompressor(level=19).compress(content)
    assert artifact.download_bytes == pytest.approx(len(packed), rel=0.01)
    assert artifact.download_bytes < len(content)


def test_model_in_one_file_has_no_external_data(shared_data: Path) -> None:
    for name in ("mnist.onnx", "ultraface_rfb_320.onnx"):
        assert len(artifact_from_file(shared_data / "models" / name).files) == 1


@pytest.mark.parametrize("in_subgraph", [False, True])
def test_external_data_travels_with_the_model(tmp_path: Path, in_subgraph: bool) -> None:
    model = save_model(tmp_path / "m.onnx", "m.data", in_subgraph)
    (tmp_path / "m.data").write_bytes(bytes(256))
    artifact = artifact_from_file(model)
    assert [file.name for file in artifact.files] == ["m.onnx", "m.data"]
    assert artifact.size_bytes == model.stat().st_size + 256


def test_locations_are_those_that_the_onnx_package_reads(tmp_path: Path) -> None:
    values = [np.full(2048, index, np.float32) for index in range(3)]
    weights = [numpy_helper.from_array(value, f"w{i}") for i, value in enumerate(values)]
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2048])
    node = helper.make_node("Sum", ["w0", "w1", "w2"], ["y"])
    model = helper.make_model(helper.make_graph([node], "g", [], [y], weights))
    path = tmp_path / "m.onnx"
    onnx.save(model, path, save_as_external_data=True, all_tensors_to_one_file=False)
    seen = external_data_locations(path)
    assert sorted(seen) == sorted(f.name for f in tmp_path.iterdir() if f != path)
    assert len(seen) == 3


def test_missing_data_file_is_named(tmp_path: Path) -> None:
    model = save_model(tmp_path / "m.onnx", "weights.bin")
    with pytest.raises(UserError, match=r"its data file weights\.bin is missing"):
        artifact_from_file(model)


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "sub/w.bin", "..", "a\\b", ""])
def test_location_that_is_a_path_is_refused(tmp_path: Path, location: str) -> None:
    model = save_model(tmp_path / "m.onnx", location)
    with pytest.raises(UserError, match="not a bare file name"):
        artifact_from_file(model)


@pytest.mark.parametrize(
    "content", [b"", b"this is not a model\n", b"\x3a\xff\xff\xff\xff\x0f", b"\x00"]
)
def test_file_that_is_no_model_is_still_an_artifact(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "garbage.onnx"
    path.write_bytes(content)
    artifact = artifact_from_file(path)
    assert artifact.size_bytes == len(content)
    assert len(artifact.files) == 1


def test_every_truncation_of_a_model_is_still_an_artifact(tmp_path: Path) -> None:
    whole = save_model(tmp_path / "m.onnx", "m.data").read_bytes()
    path = tmp_path / "cut.onnx"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        external_data_locations(path)


def test_unknown_extension_lists_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"x")
    with pytest.raises(UserError, match="unknown kind of model file") as caught:
        artifact_from_file(path)
    assert ".onnx, .tflite, .pte" in caught.value.advice


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        artifact_from_file(tmp_path / "m.onnx")
    (tmp_path / "d.tflite").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        artifact_from_file(tmp_path / "d.tflite")


def test_no_heavy_library_is_loaded() -> None:
    code = (
        "import sys, trimtab.artifact_files, trimtab.project, trimtab.metrics, trimtab.scaffold\n"
        "heavy = {'torch', 'onnx', 'onnxruntime', 'litert_torch', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=os.environ)
    assert done.returncode == 0, done.stderr.decode()
