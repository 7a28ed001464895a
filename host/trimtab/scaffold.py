"""The project that ``trimtab init`` writes and ``trimtab demo`` runs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

from trimtab.records import UserError

_FILES = ("trimtab.toml", "task.py")
_FORMATS = {".onnx": "onnx", ".tflite": "tflite"}


def write_starting_project(folder: Path) -> list[Path]:
    """Writes trimtab.toml and task.py; the folder is made. Raises UserError, overwrites nothing."""
    template = files("trimtab") / "templates" / "digits"
    return _write(folder, {name: (template / name).read_text("utf-8") for name in _FILES})


def write_file_project(folder: Path, model: Path) -> Path:
    """Writes a trimtab.toml for a model file, which stays where it is. Raises UserError."""
    model_format = _FORMATS.get(model.suffix.lower())
    if model_format is None:
        raise UserError(
            f"{model}: no model file that can be compressed", f"known: {', '.join(_FORMATS)}"
        )
    template = files("trimtab") / "templates" / "file" / f"{model_format}.toml"
    path = Path(os.path.relpath(model.absolute(), folder.absolute())).as_posix()
    text = Template(template.read_text("utf-8")).substitute(model=json.dumps(path))
    return _write(folder, {"trimtab.toml": text})[0]


def _write(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    targets = [folder / name for name in texts]
    taken = next((target for target in targets if target.exists()), None)
    if taken:
        raise UserError(f"{taken} exists already", "name another folder, or move the file away")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target, text in zip(targets, texts.values(), strict=True):
            target.write_text(text, "utf-8")
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}", "name a folder that can be made") from error
    return targets
