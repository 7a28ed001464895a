"""A right project file becomes complete settings."""

from pathlib import Path
from typing import Literal

import pytest
from trimtab.measure_policies import POLICIES
from trimtab.metrics import METRICS
from trimtab.project import PassStep, VariantPlan, load_project, parse_requirement
from trimtab.project.model import TaskSource
from trimtab.records import MeasurementSettings, Objective, Requirement, UserError
from trimtab.scaffold import write_starting_project

FULL = """
[task]
module = "task.py"
seed = 7

[[variant]]
name = "int8"
formats = ["tflite"]
passes = [{ use = "quantize", scheme = "static", method = "minmax" }]

[devices]
select = ["local", "label:kind=pi5"]

[measure]
runtimes = ["litert", "onnxruntime"]
threads = [2, 4]
repeats = 5
min_duration_s = 1
reduction = "argmax"
runtime_options = { xnnpack = "off" }
input_shapes = { image = [1, 3, 8, 8] }
rate_hz = 30
profile = true
min_sqnr_db = 10
min_agreement = 0.9

[require]
accuracy_drop = "<= 0.01"
size_mb = ["> 0.5", "<5e0"]

[prefer]
minimize = "energy_mj"
otherwise = "latency_p50_ms"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "task.py").write_text("")
    return tmp_path


def test_every_setting_arrives(folder: Path) -> None:
    (folder / "trimtab.toml").write_text(FULL)
    project = load_project(folder / "trimtab.toml")
    assert project.source == TaskSource(folder / "task.py")
    assert project.seed == 7
    step = PassStep("quantize", {"scheme": "static", "samples": 256, "method": "minmax"})
    assert project.variants == (VariantPlan("int8", ("tflite",), (step,)),)
    assert project.formats == ("tflite",)
    assert project.devices == ("local", "label:kind=pi5")
    assert project.measure.threads == (2, 4)
    assert project.requirements == (
        Requirement("accuracy_drop", "<=", 0.01),
        Requirement("size_mb", ">", 0.5),
        Requirement("size_mb", "<", 5.0),
    )
    assert project.objective == Objective("energy_mj", "minimize", "latency_p50_ms")
    base = project.measure.base
    assert (base.runtime, base.threads, base.repeats, base.min_duration_s) == ("litert", 2, 5, 1.0)
    assert (base.rate_hz, base.batch_size) == (30.0, None)
    assert (base.min_sqnr_db, base.min_agreement) == (10.0, 0.9)
    assert project.measure.profile
    assert base.runtime_options == {"xnnpack": "off"}
    assert base.input_shapes == {"image": (1, 3, 8, 8)}


@pytest.mark.parametrize(("more", "repeats"), [("", 1), ("repeats = 3", 3)])
def test_a_load_is_sustained_once_unless_the_file_says_more(
    folder: Path, more: str, repeats: int
) -> None:
    text = f'[task]\nmodule = "task.py"\n[measure]\nsustain_s = 600\npolicy = "normal"\n{more}\n'
    (folder / "trimtab.toml").write_text(text)
    base = load_project(folder).measure.base
    assert (base.sustain_s, base.repeats) == (600.0, repeats)


def test_task_alone_is_a_project(folder: Path) -> None:
    (folder / "trimtab.toml").write_text('[task]\nmodule = "task.py"\n')
    project = load_project(folder)
    assert project.variants == ()
    assert project.formats == ("onnx", "tflite")
    assert project.devices == ("local",)
    assert project.requirements == ()
    assert project.objective == Objective("latency_p50_ms")


def test_starting_project_is_valid_and_never_overwritten(tmp_path: Path) -> None:
    written = write_starting_project(tmp_path / "new")
    project = load_project(tmp_path / "new")
    assert [plan.name for plan in project.variants] == ["fp16", "int8-dynamic", "int8-static"]
    assert project.requirements == (Requirement("accuracy_drop", "<=", 0.02),)
    written[1].unlink()
    with pytest.raises(UserError, match="exists already"):
        write_starting_project(tmp_path / "new")
    assert not written[1].exists()


@pytest.mark.parametrize("bound", ["<= 0", "< 0.1", ">= -0.5"])
def test_limits_on_the_accuracy_drop_that_can_be_met(bound: str) -> None:
    assert parse_requirement("accuracy_drop", bound).metric == "accuracy_drop"


def test_every_metric_takes_a_limit_in_its_good_direction() -> None:
    for name, info in METRICS.items():
        operator: Literal["<=", ">="] = "<=" if info.better == "lower" else ">="
        assert parse_requirement(name, f"{operator} 0.5") == Requirement(name, operator, 0.5)


def test_the_files_own_settings_stand_over_its_policys(folder: Path) -> None:
    text = '[task]\nmodule = "task.py"\n[measure]\npolicy = "strict"\nrepeats = 9\n'
    (folder / "trimtab.toml").write_text(text + "cpu_affinity = [2, 3]\n")
    base = load_project(folder).measure.base
    strict = POLICIES["strict"]
    assert base.policy == "strict"
    assert base.repeats == 9
    assert base.min_duration_s == strict["min_duration_s"]
    assert base.percentile == "p99"
    assert base.cpu_affinity == (2, 3)


def test_without_a_policy_the_quick_one_holds(folder: Path) -> None:
    (folder / "trimtab.toml").write_text('[task]\nmodule = "task.py"\n')
    assert load_project(folder).measure.base == MeasurementSettings("onnxruntime")


def test_model_file_is_a_task_and_variants_keep_its_format(folder: Path) -> None:
    for name in ("m.tflite", "test.npz", "calib.npz"):
        (folder / name).write_bytes(name.encode())
    task = '[task]\nmodel = "m.tflite"\neval = "test.npz"\ncalibration = "calib.npz"\n'
    variant = '[[variant]]\nname = "half"\npasses = [{ use = "quantize", scheme = "fp16" }]\n'
    (folder / "trimtab.toml").write_text(task + variant)
    project = load_project(folder)
    data = (folder / "test.npz", folder / "calib.npz")
    assert project.source == TaskSource(folder / "m.tflite", "tflite", *data)
    assert [plan.formats for plan in project.variants] == [("tflite",)]


def test_evaluation_set_is_not_taken_for_calibration(folder: Path) -> None:
    for name in ("m.onnx", "test.npz"):
        (folder / name).write_bytes(b"")
    text = '[task]\nmodel = "m.onnx"\neval = "test.npz"\ncalibration = "./test.npz"\n'
    (folder / "trimtab.toml").write_text(text)
    with pytest.raises(UserError, match=r"trimtab\.toml:4: calibration is the evaluation set"):
        load_project(folder)
