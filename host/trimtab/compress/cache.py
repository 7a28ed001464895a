"""Files already made, by what they were made from; a hit is hashed again before it is used."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from trimtab_protos.digest import digest_file

from trimtab import __version__
from trimtab.artifact_files import companions
from trimtab.compress.layers_file import layers_from, read_layers, write_layers
from trimtab.whole_files import whole_file, write_whole

_TOOLS = (
    "torch",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "onnxconverter-common",
    "litert-torch",
    "ai-edge-quantizer",
    "ai-edge-litert",
    "executorch",
    "torchao",
    "openvino",
    "numpy",
    "torch-pruning",
    "tensorly",
    "scikit-learn",
)


def content_key(parts: Mapping[str, Any]) -> str:
    """SHA-256 over plain data and the versions of every tool that takes part."""
    text = json.dumps({**parts, "tools": tool_versions()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def arrays_digest(arrays: Iterable[npt.NDArray[Any]]) -> str:
    hasher = hashlib.sha256()
    hash_arrays(hasher, arrays)
    return hasher.hexdigest()


def hash_arrays(hasher: Any, arrays: Iterable[npt.NDArray[Any]]) -> None:
    for array in arrays:
        hasher.update(f"{array.dtype}{array.shape}".encode())
        hasher.update(np.ascontiguousarray(array).tobytes())


def tool_versions() -> dict[str, str]:
    return {"trimtab": __version__, **{name: _version(name) for name in _TOOLS}}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


@dataclass(frozen=True)
class Cache:
    folder: Path

    def fetch(self, key: str, target: Path) -> tuple[str, ...] | None:
        """Copies the file to ``target`` and gives its lineage; None: not here, or damaged."""
        try:
            entry = json.loads(self._entry(key).read_text())
            for file, kept in zip(companions(target), self._beside(key, target), strict=True):
                if digest_file(kept).sha256 != entry["beside"][file.suffix]:
                    return None
                copy_whole(kept, file)
            if digest_file(self._file(key)).sha256 != entry["sha256"]:
                return None
            copy_whole(self._file(key), target)
            write_layers(target, layers_from(entry.get("layers", ())))
            return tuple(str(sentence) for sentence in entry["lineage"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, key: str, source: Path, lineage: tuple[str, ...]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        copy_whole(source, self._file(key))
        beside = {}
        for file, kept in zip(companions(source), self._beside(key, source), strict=True):
            copy_whole(file, kept)
            beside[file.suffix] = digest_file(file).sha256
        entry = {
            "sha256": digest_file(source).sha256,
            "beside": beside,
            "lineage": lineage,
            "layers": [asdict(each) for each in read_layers(source)],
        }
        write_whole(self._entry(key), json.dumps(entry).encode())

    def _beside(self, key: str, model: Path) -> tuple[Path, ...]:
        return tuple(self.folder / f"{key}{each.suffix}" for each in companions(model))

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.model"

    def _entry(self, key: str) -> Path:
        return self.folder / f"{key}.json"


def copy_with_companions(source: Path, target: Path) -> None:
    for beside, place in zip(companions(source), companions(target), strict=True):
        copy_whole(beside, place)
    copy_whole(source, target)


def copy_whole(source: Path, target: Path) -> None:
    """The target is there only when it is whole and on disk."""
    with source.open("rb") as reading, whole_file(target) as writing:
        shutil.copyfileobj(reading, writing)
