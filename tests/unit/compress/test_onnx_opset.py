"""ONNX files for devices whose ONNX Runtime is older than the exporter."""

from pathlib import Path

import onnx
import pytest
import torch
from onnx import helper
from trimtab.compress.quiet import quiet
from trimtab.export import ExportFailed, ExportRequest, load_exporter
from trimtab.export.onnx_opset import settle
from trimtab.onnx_versions import OnnxVersions, file_versions


def request(model: torch.nn.Module) -> ExportRequest:
    return ExportRequest(model.eval(), (torch.rand(1, 2, 6, 6),), ("x",), ("y",))


def test_the_exporter_writes_the_opset_asked_for_with_its_ir_version(tmp_path: Path) -> None:
    target = tmp_path / "m.onnx"
    with quiet():
        load_exporter("onnx", 18).export(request(torch.nn.Conv2d(2, 3, 3)), target)
    assert file_versions(target) == OnnxVersions(18, 8)


def test_an_opset_it_cannot_be_brought_to_is_refused_with_one_that_it_can(tmp_path: Path) -> None:
    with quiet(), pytest.raises(ExportFailed, match="from ONNX opset 20 to 13, set one from 18 on"):
        load_exporter("onnx", 13).export(request(torch.nn.ZeroPad2d(1)), tmp_path / "m.onnx")


def test_operator_sets_that_no_operator_is_of_are_not_asked_for(tmp_path: Path) -> None:
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    inner = helper.make_graph([helper.make_node("Gelu", [], ["z"], domain="a")], "g", [], [])
    nodes = [helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)]
    opsets = [helper.make_opsetid(domain, 5) for domain in ("ai.onnx.ml", "a", "b")]
    model = helper.make_model(
        helper.make_graph(nodes, "g", [x], []),
        opset_imports=[helper.make_opsetid("", 18), *opsets],
        ir_version=11,
    )
    onnx.save(model, tmp_path / "m.onnx")
    settle(tmp_path / "m.onnx")
    settled = onnx.load(tmp_path / "m.onnx")
    assert [each.domain for each in settled.opset_import] == ["", "a"]
    assert settled.ir_version == 8
