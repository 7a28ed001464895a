"""Runtimes that are missing or broken are "unavailable: reason", never a crash or silence."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from trimtab_agent.runtimes import registry
from trimtab_agent.runtimes.base import RuntimeMissing
from trimtab_agent.runtimes.litert import LiteRt
from trimtab_agent.runtimes.onnxruntime import OnnxRuntime
from trimtab_agent.worker.discovery import describe_runtimes


def entries(value: str) -> tuple[EntryPoint, ...]:
    return (EntryPoint("acme", value, registry.GROUP),)


async def test_every_registered_runtime_is_described_from_a_worker(tmp_path: Path) -> None:
    infos = {info.name: info for info in await describe_runtimes(tmp_path)}
    assert set(infos) >= {"litert", "null", "onnxruntime"}
    assert infos["onnxruntime"].model_formats == ("onnx",)
    assert infos["onnxruntime"].accelerators[0] == "cpu"
    assert infos["litert"].package == "ai_edge_litert"
    assert all(info.version for info in infos.values())


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module:Runtime", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("pathlib:Path", "is not a trimtab Runtime"),
    ],
)
def test_a_broken_entry_point_is_unavailable_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, value: str, reason: str
) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: entries(value))
    assert reason in registry.describe_runtime("acme").unavailable_reason
    with pytest.raises(RuntimeMissing):
        registry.create_runtime("acme")


def test_a_missing_library_is_unavailable_and_names_what_was_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for package in ("ai_edge_litert", "tflite_runtime", "tensorflow"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    assert "onnxruntime cannot be imported" in OnnxRuntime().availability().unavailable_reason
    reason = LiteRt().availability().unavailable_reason
    for package in ("ai_edge_litert", "tflite_runtime", "tensorflow"):
        assert package in reason


async def test_an_import_that_ends_the_process_costs_the_other_runtimes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "packages" / "onnxruntime"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import os\nos.abort()\n")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    infos = {info.name: info for info in await describe_runtimes(tmp_path)}
    assert "SIGABRT" in infos.pop("onnxruntime").unavailable_reason
    assert {"litert", "null", "openvino", "torch"} <= set(infos)
    assert all(info.version for info in infos.values())


async def test_a_third_partys_runtime_may_call_itself_as_ours_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "fast-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fast\nVersion: 0\n")
    entry = "[trimtab.runtimes]\nfast = trimtab_fast:Fast\n"
    (info / "entry_points.txt").write_text(entry)
    code = (
        "from trimtab_agent.runtimes.null import NullRuntime\nclass Fast(NullRuntime):\n    pass\n"
    )
    (tmp_path / "trimtab_fast.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    infos = await describe_runtimes(tmp_path)
    assert [each.name for each in infos].count("null") == 2
    assert len(infos) == len(registry.runtime_names())
