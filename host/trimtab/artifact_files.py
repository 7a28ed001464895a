"""From a model file on disk to an artifact: its files, their content addresses, its download size.

What is in the file is not judged here: whether a model loads is the runtime's word, on the device.
"""

from __future__ import annotations

from pathlib import Path

import zstandard
from trimtab_protos.digest import digest_file

from trimtab.external_data import check_bare, external_data_locations
from trimtab.records import Artifact, ArtifactFile, UserError

FORMATS_BY_SUFFIX = {
    ".onnx": "onnx",
    ".tflite": "tflite",
    ".pte": "pte",
    ".pt2": "pt2",
    ".pt": "torchscript",
    ".xml": "openvino",
}
_DOWNLOAD_LEVEL = 19


def artifact_from_file(path: Path) -> Artifact:
    """Raises UserError for an unknown extension, a missing file and missing external data."""
    model_format = FORMATS_BY_SUFFIX.get(path.suffix.lower())
    if model_format is None:
        raise UserError(
            f"{path}: unknown kind of model file",
            f"known extensions: {', '.join(FORMATS_BY_SUFFIX)}",
        )
    files = _with_external_data(path, model_format)
    try:
        hashed = tuple(ArtifactFile(file.name, file, digest_file(file)) for file in files)
        download_bytes = sum(compressed_size(file) for file in files)
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}", "check its permissions") from error
    return Artifact(model_format, hashed, download_bytes)


def suffix_of(model_format: str) -> str:
    return next(
        (suffix for suffix, name in FORMATS_BY_SUFFIX.items() if name == model_format),
        f".{model_format}",
    )


def companions(path: Path) -> tuple[Path, ...]:
    """Files that belong to a model file by their names: OpenVINO's weights."""
    return (path.with_suffix(".bin"),) if path.suffix.lower() == ".xml" else ()


def compressed_size(path: Path) -> int:
    """Bytes after zstd at level 19, as an update would carry the file."""
    compressor = zstandard.ZstdCompressor(level=_DOWNLOAD_LEVEL)
    with path.open("rb") as source:
        return sum(len(chunk) for chunk in compressor.read_to_iter(source))


def _with_external_data(path: Path, model_format: str) -> tuple[Path, ...]:
    if not path.is_file():
        problem = "is a folder, not a model file" if path.is_dir() else "no such file"
        raise UserError(f"{path}: {problem}", "name a model file that exists")
    if model_format != "onnx":
        for beside in companions(path):
            if not beside.is_file():
                raise UserError(
                    f"{path}: its weights {beside.name} are missing",
                    f"put {beside.name} beside {path.name}",
                )
        return (path, *companions(path))
    try:
        locations = external_data_locations(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", "check its permissions") from error
    return (path, *(_data_file(path, location) for location in locations))


def _data_file(model: Path, location: str) -> Path:
    check_bare(model, location)
    if location == model.name:
        raise UserError(
            f"{model}: names itself as its external data", "save the model again with its data"
        )
    data = model.parent / location
    if not data.is_file():
        raise UserError(
            f"{model}: its data file {location} is missing",
            f"put {location} beside {model.name}, or save the model in one file",
        )
    return data
