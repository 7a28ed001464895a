"""A variant whose mean hides one collapsed class, from the pass that made it to the decision."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trimtab.scaffold import write_starting_project

pytestmark = pytest.mark.slow

Trimtab = Callable[..., subprocess.CompletedProcess[str]]
# Lowers one class's bias, until three in five of its samples go to another class.
LOWER_THREES = """
import torch
from trimtab.compress.passes import ModelPass, PassConfig

class Config(PassConfig):
    pass

class Pass(ModelPass[Config]):
    name = "lower_threes"
    config = Config

    def apply(self, model, config, context):
        (images,), labels = context.task.evaluation
        with torch.no_grad():
            threes = model(torch.from_numpy(images[labels == 3]))
            others = threes.clone()
            others[:, 3] = -torch.inf
            margins = threes[:, 3] - others.max(dim=1).values
            model[-1].bias[3] -= margins.quantile(0.6)
        return model, "lowered the bias of class 3"
"""
TASK = """

def class_names():
    return [f"digit {number}" for number in range(10)]


def corruptions():
    return {"dimmed": lambda images: images * 0.7}
"""
PROJECT = """
[task]
module = "task.py"

[[variant]]
name = "half"
formats = ["onnx"]
passes = [{ use = "quantize", scheme = "fp16" }]

[[variant]]
name = "lowered"
formats = ["onnx"]
passes = [{ use = "lower_threes" }]

[measure]
runtimes = ["onnxruntime"]
repeats = 1
min_duration_s = 0.02

[robustness]
corruptions = ["noise", "blur", "brightness", "crop", "dimmed"]
samples = 200

[prefer]
maximize = "worst_class_drop"
"""
FALL = "class digit 3 fell from "


@pytest.fixture
def project(tmp_path: Path, environment: dict[str, str]) -> Path:
    """A user's project with a pass of the user's own, installed beside it."""
    write_starting_project(tmp_path)
    task = tmp_path / "task.py"
    task.write_text(task.read_text().replace("EPOCHS = 15", "EPOCHS = 6") + TASK)
    (tmp_path / "trimtab.toml").write_text(PROJECT)
    site = tmp_path / "site"
    info = site / "lower_threes-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "lower_threes.py").write_text(LOWER_THREES)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lower-threes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[trimtab.passes]\nlower_threes = lower_threes:Pass\n")
    path = os.environ.get("PYTHONPATH", "")
    environment["PYTHONPATH"] = f"{site}{os.pathsep}{path}" if path else str(site)
    return tmp_path


def by_variant(document: dict[str, Any]) -> dict[str, Any]:
    return {each["variant"]: each for each in document["results"]}


def test_a_collapsed_class_is_flagged_everywhere_and_can_be_refused(
    trimtab: Trimtab, project: Path
) -> None:
    run = trimtab("run", "--format", "json", "--report", "r.html")
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    results = by_variant(document)

    lowered = results["lowered"]["robustness"]
    assert lowered["worst_class"] == "digit 3"
    assert lowered["collapsed_classes"] == ["digit 3"]
    assert results["half"]["robustness"]["collapsed_classes"] == []
    assert results["lowered"]["metrics"]["accuracy_drop"]["value"] < 0.08
    assert results["lowered"]["metrics"]["worst_class_drop"]["value"] > 0.4
    assert results["float"]["metrics"]["accuracy"]["value"] > 0.9
    (device,) = document["decision"]["devices"]
    if device["chosen"]["variant"] == "lowered":
        assert FALL in device["warnings"][0]

    for result in results.values():
        corruptions = result["robustness"]["corruptions"]
        assert list(corruptions) == ["noise", "blur", "brightness", "crop", "dimmed"]
        assert all(each["count"] == 200 for each in corruptions.values())
        assert result["metrics"]["robust_accuracy"]["value"] == pytest.approx(
            sum(each["accuracy"] for each in corruptions.values()) / 5
        )
    of_float = results["float"]["robustness"]["corruptions"]
    assert of_float["crop"]["accuracy"] < of_float["crop"]["clean_accuracy"]
    assert FALL in (project / "r.html").read_text()

    run_id = document["run_id"]
    shown = json.loads(trimtab("runs", "show", run_id, "--format", "json").stdout)
    assert shown == document
    table = " ".join(trimtab("runs", "show", run_id).stdout.split())
    assert "Per class and under corruption" in table
    assert "COLLAPSED" in table
    assert FALL in table
    assert trimtab("report", run_id, "-o", "again.html").returncode == 0
    assert (project / "again.html").read_text() == (project / "r.html").read_text()

    decided = trimtab(
        "decide", run_id, "--require", "worst_class_drop<=0.05", "--minimize", "size_mb",
        "--format", "json",
    )  # fmt: skip
    (device,) = json.loads(decided.stdout)["decision"]["devices"]
    assert device["chosen"]["variant"] == "half"
    assert device["warnings"] == []
    refused = {each["label"]: each for each in device["not_chosen"]}
    lowered = refused["lowered (onnx, onnxruntime)"]
    assert not lowered["meets_requirements"]
    assert f"limit <= 0.05 ({FALL}" in lowered["reason"]


def test_clean_figures_do_not_depend_on_corrupted_copies(trimtab: Trimtab, project: Path) -> None:
    with_copies = json.loads(trimtab("run", "--format", "json").stdout)
    text = PROJECT.replace('corruptions = ["noise", "blur", "brightness", "crop", "dimmed"]', "")
    (project / "trimtab.toml").write_text(text)
    without = json.loads(trimtab("run", "--format", "json").stdout)

    for name, result in by_variant(without).items():
        beside = by_variant(with_copies)[name]
        for metric in ("accuracy", "accuracy_drop", "agreement", "sqnr_db", "worst_class_drop"):
            assert result["metrics"][metric] == beside["metrics"][metric], (name, metric)
        assert result["robustness"]["per_class"] == beside["robustness"]["per_class"]
        assert result["robustness"]["corruptions"] == {}


def test_an_unknown_corruption_is_one_line_before_anything_is_built(
    trimtab: Trimtab, project: Path
) -> None:
    (project / "trimtab.toml").write_text(PROJECT.replace('"noise"', '"rain"'))
    run = trimtab("run")
    assert run.returncode == 2
    assert "there is no corruption rain; allowed: dimmed, noise, blur" in run.stderr
    assert not (project / "trimtab-build").exists()
