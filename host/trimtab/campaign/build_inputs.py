"""What went into a build, as it can be compared later: files, folders, environment, tools."""

from __future__ import annotations

import ast
import hashlib
import os
import platform
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import trimtab_protos
from trimtab_protos.digest import digest_file

import trimtab
from trimtab.campaign.watching import Seen
from trimtab.home import home

# What libraries are known to open in native code, where no hook sees it.
_NATIVE_DATA = (".safetensors", ".gguf", ".onnx", ".tflite", ".bin", ".ckpt", ".h5", ".hdf5")
_NATIVE_TABLES = (".parquet", ".arrow", ".feather", ".mdb", ".tfrecord")
_NATIVE_MEDIA = (".png", ".jpg", ".jpeg", ".bmp", ".wav", ".flac", ".mp4", ".avi")
_NATIVE = frozenset({*_NATIVE_DATA, *_NATIVE_TABLES, *_NATIVE_MEDIA})
_MOST_NATIVE_FILES = 5000
_NOT_OURS = ("/proc", "/sys", "/dev", "/etc", "/usr", "/lib", "/lib64", "/run")
_NOT_INPUTS = ("__pycache__", "trimtab-build")
_DISTRIBUTIONS = (".dist-info", ".egg-info")
_LONGEST_NAME = 64


def input_files(seen: Seen, folder: Path, given: Iterable[Path]) -> tuple[Path, ...]:
    """Those that were read and stand outside the Python installation, and those in the project's
    folder that native code may have read."""
    paths = {Path(path) for path in seen.read | seen.modules}
    paths |= {path.absolute() for path in given}
    found = {path for path in paths if _is_input(path) and _is_known(path, folder)}
    known = found | {path for path in _native_files(folder) if str(path) not in seen.written}
    return tuple(sorted(known))


def input_folders(seen: Seen) -> tuple[Path, ...]:
    return tuple(
        path for path in map(Path, sorted(seen.listed)) if path.is_dir() and _is_input(path)
    )


def mentioned_names(sources: Iterable[Path]) -> tuple[str, ...]:
    """Strings in the code that could be an environment variable's name."""
    found: set[str] = set()
    for path in sources:
        found |= _names_in(path)
    return tuple(sorted(found))


def environment(names: Iterable[str]) -> dict[str, str | None]:
    """Digests of the values, which may be secrets; None: not set."""
    values = {name: os.environ.get(name) for name in names}
    return {name: _digest(value) if value is not None else None for name, value in values.items()}


def listing(folder: Path) -> str:
    """A digest of the names in it. Raises OSError."""
    return _digest(
        "\n".join(sorted(each.name for each in folder.iterdir() if _is_visible(each.name)))
    )


def installed() -> list[str]:
    """Distributions with their versions, as their folders are named."""
    return sorted({name for name in _names_on_path() if name.endswith(_DISTRIBUTIONS)})


def interpreter() -> str:
    return f"Python {platform.python_version()} on {platform.machine()}"


@cache
def own_code() -> str:
    """A digest of Trimtab itself: an installation from source keeps its version."""
    root = Path(trimtab.__file__).parent
    hasher = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        hasher.update(str(path.relative_to(root)).encode())
        hasher.update(path.read_bytes())
    return hasher.hexdigest()


def content(path: Path) -> str:
    """SHA-256, empty where there is no file."""
    try:
        return digest_file(path).sha256
    except OSError:
        return ""


def _is_input(path: Path) -> bool:
    if path.suffix == ".pyc" or any(_is_foreign_part(part) for part in path.parts):
        return False
    return not any(path.is_relative_to(root) for root in _foreign_roots())


def _is_foreign_part(name: str) -> bool:
    return name in _NOT_INPUTS or name.endswith(_DISTRIBUTIONS)


def _is_known(path: Path, folder: Path) -> bool:
    """A file that was looked for in vain counts in the project's folder alone: elsewhere it was
    a temporary one."""
    return path.is_file() or (not path.exists() and path.is_relative_to(folder.absolute()))


@cache
def _foreign_roots() -> tuple[Path, ...]:
    roots = {*_NOT_OURS, sys.prefix, sys.base_prefix, *site.getsitepackages()}
    roots |= {site.getusersitepackages(), *sysconfig.get_paths().values(), str(home())}
    roots |= {str(Path(each.__file__ or "").parent) for each in (trimtab, trimtab_protos)}
    return tuple(Path(root) for root in roots if root and root != "/")


def _native_files(folder: Path) -> Iterator[Path]:
    found: list[Path] = []
    for root, folders, names in os.walk(folder.absolute()):
        folders[:] = [name for name in folders if _is_visible(name)]
        found += [Path(root, name) for name in names if Path(name).suffix.lower() in _NATIVE]
        if len(found) > _MOST_NATIVE_FILES:
            return iter(())
    return (path for path in found if _is_input(path))


def _is_visible(name: str) -> bool:
    return not name.startswith(".") and name not in _NOT_INPUTS


def _names_in(path: Path) -> set[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return set()
    values = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {
        value
        for value in values
        if isinstance(value, str) and value.isidentifier() and len(value) <= _LONGEST_NAME
    }


def _names_on_path() -> Iterator[str]:
    for entry in sys.path:
        try:
            yield from (each.name for each in Path(entry).iterdir())
        except OSError:
            continue


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
