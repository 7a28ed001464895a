"""The [task] table: a task file in Python, or a model file with its data."""

from __future__ import annotations

from pathlib import Path

from trimtab.project.model import TaskSettings, TaskSource
from trimtab.project.problem import Problem

_FORMATS = {".onnx": "onnx", ".tflite": "tflite"}
_OTHER_MODELS = (".pte", ".pt", ".pt2", ".pth", ".safetensors", ".keras", ".h5", ".xml")
_MODULE = 'module = "task.py", or model = "model.onnx"'


def task_source(folder: Path, task: TaskSettings) -> TaskSource:
    """Raises Problem; its path starts at the key in [task]."""
    if task.module is not None and task.model is not None:
        raise Problem(("model",), "both module and model are given", "one of the two")
    if task.model is not None:
        return _model_file(folder, task, task.model)
    if task.module is None:
        raise Problem((), "module is missing", _MODULE)
    return _task_file(folder, task, task.module)


def _task_file(folder: Path, task: TaskSettings, module: str) -> TaskSource:
    file = folder / module
    if file.suffix.lower() in _FORMATS:
        raise Problem(("module",), f"{module} is a model file", f'model = "{module}"')
    if file.suffix.lower() in _OTHER_MODELS:
        raise Problem(("module",), f"{module} is no Python file", "a task file that loads it")
    if not file.is_file():
        allowed = "a Python file that exists, relative to the project file"
        raise Problem(("module",), f"task file {module} does not exist", allowed)
    for key, function in (("eval", "eval_data()"), ("calibration", "calibration_data()")):
        if getattr(task, key) is not None:
            raise Problem(
                (key,), f"{key} goes with a model file, not with a task file", f"def {function}"
            )
    return TaskSource(file)


def _model_file(folder: Path, task: TaskSettings, model: str) -> TaskSource:
    file = folder / model
    model_format = _FORMATS.get(file.suffix.lower())
    if model_format is None:
        allowed = f'a file in {" or ".join(_FORMATS)}; of anything else: module = "task.py"'
        raise Problem(("model",), f"{model} is no model file that can be compressed", allowed)
    if not file.is_file():
        allowed = "a file that exists, relative to the project file"
        raise Problem(("model",), f"model file {model} does not exist", allowed)
    evaluation = _data_file(folder, "eval", task.eval)
    calibration = _data_file(folder, "calibration", task.calibration)
    if evaluation is not None and calibration is not None and evaluation.samefile(calibration):
        raise Problem(
            ("calibration",),
            "calibration is the evaluation set: the accuracy would say nothing",
            "other samples",
        )
    return TaskSource(file, model_format, evaluation, calibration)


def _data_file(folder: Path, key: str, name: str | None) -> Path | None:
    if name is None:
        return None
    if not (folder / name).is_file():
        allowed = "an .npz that exists, relative to the project file"
        raise Problem((key,), f"{key} file {name} does not exist", allowed)
    return folder / name
