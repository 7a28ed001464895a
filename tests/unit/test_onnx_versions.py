"""Which ONNX files an older ONNX Runtime takes, known without loading them."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from trimtab.onnx_versions import OnnxVersions, file_versions, newest_for, too_new_for


def write(path: Path, opset: int, ir: int, domain: str = "") -> Path:
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
    node = helper.make_node("Add", ["x", "x"], ["y"])
    graph = helper.make_graph([node], "g", tensors[:1], tensors[1:])
    opsets = [helper.make_opsetid("com.microsoft", 1), helper.make_opsetid(domain, opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=ir), path)
    return path


@pytest.mark.parametrize("domain", ["", "ai.onnx"])
def test_versions_are_those_of_the_standard_operators(tmp_path: Path, domain: str) -> None:
    assert file_versions(write(tmp_path / "m.onnx", 17, 8, domain)) == OnnxVersions(17, 8)


@pytest.mark.parametrize("content", [b"", b"hello, this is text", b"\x08"])
def test_what_is_no_model_has_no_versions(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    assert file_versions(path) is None
    assert too_new_for(path, "1.15.0") == ""


def test_a_file_too_new_says_what_the_device_takes_and_what_to_do(tmp_path: Path) -> None:
    reason = too_new_for(write(tmp_path / "m.onnx", 23, 11), "1.20.1")
    assert reason == (
        "onnxruntime 1.20.1 takes ONNX opset 21 and IR version 10 at most, m.onnx has opset 23 and "
        "IR version 11: update it on the device, or export for it (in trimtab.toml: [export] "
        "opset = 21)"
    )


@pytest.mark.parametrize(
    ("opset", "ir", "taken"), [(21, 10, True), (22, 8, False), (13, 11, False)]
)
def test_opset_and_ir_version_count_each(tmp_path: Path, opset: int, ir: int, taken: bool) -> None:
    assert (too_new_for(write(tmp_path / "m.onnx", opset, ir), "1.20.1") == "") is taken


@pytest.mark.parametrize(
    ("release", "newest"),
    [
        ("1.4.0", OnnxVersions(19, 9)),  # no lower bound is known: nothing is refused wrongly
        ("1.26.1", OnnxVersions(26, 13)),
        ("1.30.0", OnnxVersions(28, 14)),
        ("1.99.0", None),
        ("2.0.0", None),
        ("of a vendor", None),
    ],
)
def test_releases_between_are_given_the_later_ones_limits(
    release: str, newest: OnnxVersions | None
) -> None:
    assert newest_for(release) == newest


def test_the_installed_release_takes_what_the_table_says_and_no_more(tmp_path: Path) -> None:
    import onnxruntime

    limit = newest_for(onnxruntime.__version__)
    if limit is None:
        pytest.skip(f"onnxruntime {onnxruntime.__version__} is newer than the table")
    onnxruntime.set_default_logger_severity(4)
    onnxruntime.InferenceSession(write(tmp_path / "newest.onnx", limit.opset, limit.ir))
    for name, opset, ir in (("opset", limit.opset + 1, 8), ("ir", 13, limit.ir + 1)):
        with pytest.raises(Exception, match=r"[Oo]pset|IR version"):
            onnxruntime.InferenceSession(write(tmp_path / f"{name}.onnx", opset, ir))
