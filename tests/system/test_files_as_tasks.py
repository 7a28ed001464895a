"""docs/files-as-tasks.md: its project, as it stands there, on a real file."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Trimtab = Callable[..., subprocess.CompletedProcess[str]]
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "files-as-tasks.md"


@pytest.fixture
def project(tmp_path: Path, shared_data: Path) -> Path:
    blocks = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (tmp_path / "trimtab.toml").write_text(blocks[0])
    shutil.copy(shared_data / "models" / "ultraface_rfb_320.onnx", tmp_path / "model.onnx")
    images = np.random.default_rng(0).random((4, 3, 240, 320), np.float32)
    np.savez(tmp_path / "calib.npz", images=images)
    return tmp_path


@pytest.mark.slow
def test_the_documents_project_is_made_and_then_up_to_date(trimtab: Trimtab, project: Path) -> None:
    first = trimtab("compress", "--format", "json")
    assert first.returncode == 0, first.stderr
    variants = {each["name"]: each for each in json.loads(first.stdout)["variants"]}
    assert list(variants) == ["float", "optimized", "fp16", "int8-static"]
    assert variants["int8-static"]["size_bytes"] < 0.4 * variants["float"]["size_bytes"]
    assert (project / "trimtab-build" / "float.onnx").read_bytes() == (
        project / "model.onnx"
    ).read_bytes()

    second = trimtab("compress", "--format", "json")
    assert "nothing to do: 4 variants are up to date" in second.stderr
    assert (second.returncode, second.stdout) == (0, first.stdout)

    with np.load(project / "calib.npz") as held:
        images = held["images"]
    np.savez(project / "calib.npz", images=images[::-1] / 2)
    third = trimtab("compress", "--format", "json")
    assert "building again: calib.npz changed" in third.stderr
    assert third.stdout != first.stdout

    forced = trimtab("compress", "--format", "json", "--force")
    assert "nothing to do" not in forced.stderr
    assert forced.stdout == third.stdout


def test_a_project_around_a_file_is_started_and_measured(
    trimtab: Trimtab, tmp_path: Path, mnist_evaluation: Path, shared_data: Path
) -> None:
    shutil.copy(shared_data / "models" / "mnist.onnx", tmp_path / "model.onnx")
    started = trimtab("init", "new", "--model", "model.onnx")
    assert started.returncode == 0, started.stderr
    file = tmp_path / "new" / "trimtab.toml"
    text = file.read_text()
    assert 'model = "../model.onnx"' in text
    with np.load(mnist_evaluation) as held:
        few = {name: held[name][:500] for name in held.files}
    np.savez(tmp_path / "new" / "test.npz", **few)
    file.write_text(text.replace("# eval", "eval"))

    run = trimtab("run", "new", "--set", "min_duration_s=50ms", "--format", "json")

    assert run.returncode in (0, 1), run.stderr  # 1: on a busy machine no latency is valid
    results = {each["variant"]: each for each in json.loads(run.stdout)["results"]}
    assert set(results) == {"float", "fp16", "int8-dynamic", "optimized"}
    for result in results.values():
        assert result["metrics"]["accuracy"]["value"] > 0.97
    assert trimtab("init", "other", "--model", "new/test.npz").returncode == 2
