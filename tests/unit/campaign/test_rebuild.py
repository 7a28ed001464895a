"""A variant made again from what a run keeps, and what is said where something changed."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper
from trimtab.campaign.project_run import compress_project
from trimtab.campaign.rebuild import rebuild_variant
from trimtab.cli import cli
from trimtab.records import Run, UserError, Variant
from trimtab.scaffold import write_starting_project
from trimtab.store import RunStore, read_recording, write_recording

PROJECT = """
[task]
model = "model.onnx"
calibration = "data/calibration.npz"
seed = 3

[[variant]]
name = "int8"
passes = [{ use = "quantize", scheme = "static", samples = 16 }]
"""
UNCHANGED = "source, data, seed and versions are as they were"
FEATURES = np.random.default_rng(1).standard_normal((16, 16), np.float32)


def write_model(path: Path, seed: int = 0) -> None:
    weights = np.random.default_rng(seed).standard_normal((16, 16), np.float32)
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ("N", 16)) for n in ("x", "y")]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    constants = [numpy_helper.from_array(weights, "w")]
    graph = helper.make_graph([node], "graph", values[:1], values[1:], constants)
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    (project / "trimtab.toml").write_text(PROJECT)
    write_model(project / "model.onnx")
    np.savez(project / "data" / "calibration.npz", x=FEATURES)
    return project


@pytest.fixture
def int8(folder: Path) -> Variant:
    return compress_project(folder / "trimtab.toml", lambda line: None)[1]


def test_it_is_the_same_file_where_nothing_changed(int8: Variant, tmp_path: Path) -> None:
    said: list[str] = []
    done = rebuild_variant(int8, tmp_path / "again", say=said.append)
    assert done.is_identical
    assert done.differences == ()
    assert said[0] == UNCHANGED
    assert (tmp_path / "again" / "int8.onnx").is_file()


def test_what_changed_is_said_before_anything_is_made(
    int8: Variant, folder: Path, tmp_path: Path
) -> None:
    assert int8.origin is not None
    write_model(folder / "model.onnx", seed=1)
    np.savez(folder / "data" / "calibration.npz", x=2 * FEATURES)
    older = {**int8.origin.versions, "onnx": "1.0", "sparse-tool": "2.0"}
    then = replace(int8, origin=replace(int8.origin, versions=older, python="3.10.0"))
    said: list[str] = []
    done = rebuild_variant(then, tmp_path / "again", say=said.append)
    assert not done.is_identical
    assert done.variant.artifact is not None  # made all the same
    told = list(done.differences)
    assert told == said[: len(told)]
    assert told[0].startswith("model.onnx changed: sha256 ")
    assert told[1].startswith("data/calibration.npz changed: sha256 ")
    assert told[2] == "the data that quantize takes changed"
    assert told[3].endswith(", was 3.10.0")
    assert told[4].startswith("onnx 1.")
    assert told[4].endswith(", was 1.0")
    assert told[5] == "sparse-tool not installed, was 2.0"


def test_a_run_from_before_origins_were_kept_is_refused(int8: Variant, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="it is older than that") as caught:
        rebuild_variant(replace(int8, origin=None), tmp_path)
    assert caught.value.advice == "run the project again"


def test_a_pass_that_is_gone_is_named(int8: Variant, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown pass shrink"):
        rebuild_variant(replace(int8, recipe=({"use": "shrink"},)), tmp_path)


def test_a_source_that_is_gone_is_named(int8: Variant, folder: Path, tmp_path: Path) -> None:
    shutil.rmtree(folder / "data")
    with pytest.raises(UserError, match=r"calibration\.npz does not exist") as caught:
        rebuild_variant(int8, tmp_path / "again")
    assert "--task FILE" in caught.value.advice


Trimtab = Callable[..., tuple[int, str]]


@pytest.fixture
def trimtab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, int8: Variant) -> Trimtab:
    """The command line, with run ``r`` of ``int8`` in its store; the code and all it printed."""
    monkeypatch.setenv("TRIMTAB_STORE", f"sqlite:///{tmp_path / 'runs.db'}")
    monkeypatch.chdir(tmp_path)
    with RunStore(f"sqlite:///{tmp_path / 'runs.db'}") as store:
        store.save(Run("r", "test", "2026-01-01T00:00:00+00:00", (int8,), ()))

    def run(*arguments: object) -> tuple[int, str]:
        done = CliRunner().invoke(cli, list(map(str, arguments)), standalone_mode=False)
        if isinstance(done.exception, UserError):
            return 2, f"{done.exception.message}\n{done.exception.advice}"
        assert done.exception is None, done.exception
        return int(done.return_value), done.output

    return run


def test_the_command_line_tells_the_same_file_from_another(
    trimtab: Trimtab, folder: Path, int8: Variant
) -> None:
    assert int8.artifact is not None
    code, said = trimtab("runs", "rebuild", "r", "int8")
    assert code == 0
    assert f"byte-identical: sha256 {int8.artifact.sha256}" in said
    write_model(folder / "model.onnx", seed=1)
    code, said = trimtab("runs", "rebuild", "r", "int8", "--out", "other")
    assert code == 1
    assert said.index("model.onnx changed") < said.index("int8: onnx")
    assert "ANOTHER FILE, with what changed since" in said


def test_an_imported_run_is_rebuilt_from_a_file_that_is_named(
    trimtab: Trimtab, int8: Variant, folder: Path, tmp_path: Path
) -> None:
    run = Run("20260101-1", "imported", "2026-01-01T00:00:00+00:00", (int8,), ())
    write_recording(run, tmp_path / "run.trimtab")
    (imported,) = read_recording(tmp_path / "run.trimtab").variants
    with pytest.raises(UserError, match=r"where model\.onnx stands here is not known"):
        rebuild_variant(imported, tmp_path / "again")
    shutil.copy(folder / "data" / "calibration.npz", folder)
    done = rebuild_variant(imported, tmp_path / "again", folder / "model.onnx")
    assert done.is_identical


def test_what_cannot_be_rebuilt_is_refused_with_what_there_is(trimtab: Trimtab) -> None:
    assert trimtab("runs", "rebuild", "r", "int4") == (2, "run r has no variant int4\nit has int8")
    code, said = trimtab("runs", "rebuild", "r", "int8", "--format", "tflite")
    assert (code, said) == (2, "int8 was not made as tflite\nit was made as onnx")


def test_runs_show_tells_how_a_variant_was_made(trimtab: Trimtab) -> None:
    code, said = trimtab("runs", "show", "r", "--variant", "int8")
    assert code == 0
    for expected in (
        "quantize: scheme = static, samples = 16",
        "model.onnx in ",
        "data/calibration.npz, sha256",
        "of quantize: sha256",
        "256",  # parameters
        "unavailable: they are counted in the model",
        "onnxruntime ",
        "runs rebuild r int8 --format onnx",
    ):
        assert expected in said
    code, said = trimtab("runs", "show", "r", "--variant", "int8", "--format", "csv")
    assert (code, said) == (2, "--variant with --format csv\ngive --format table or json")


@pytest.mark.slow
def test_a_task_file_gives_the_same_bytes_and_a_changed_one_says_so(tmp_path: Path) -> None:
    write_starting_project(tmp_path)
    (tmp_path / "trimtab.toml").write_text(
        '[task]\nmodule = "task.py"\n[[variant]]\nname = "int8"\nformats = ["onnx"]\n'
        'passes = [{ use = "quantize", scheme = "static", samples = 64 }]\n'
    )
    _, made = compress_project(tmp_path / "trimtab.toml", lambda line: None)
    assert made.origin is not None
    assert made.origin.facts is not None
    assert (made.origin.facts.parameters, made.origin.facts.macs) == (121_994, 1_854_080)
    assert rebuild_variant(made, tmp_path / "again").is_identical
    task = tmp_path / "task.py"
    task.write_text(task.read_text().replace("EPOCHS = 15", "EPOCHS = 1"))
    done = rebuild_variant(made, tmp_path / "changed")
    assert not done.is_identical
    assert done.differences[0].startswith("task.py changed: sha256 ")
    assert done.differences[1].startswith("the task's float model is another one")
    assert len(done.differences) == 2
