"""A build that need not be made again: what went in and what came out are as they were."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trimtab.campaign.build_inputs import (
    content,
    environment,
    input_files,
    input_folders,
    installed,
    interpreter,
    listing,
    mentioned_names,
    own_code,
)
from trimtab.campaign.watching import Seen
from trimtab.project import Project
from trimtab.records import Variant
from trimtab.store.codec import plain, variant_from
from trimtab.whole_files import write_whole

RECORD_FILE = ".build.json"
_SCHEMA = "trimtab.build/1"
_MOST_NAMED = 3


@dataclass(frozen=True)
class FileState:
    """``sha256`` empty: there was no such file."""

    path: str
    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class Checked:
    """``variants`` where nothing changed; else what did, empty where nothing was ever built."""

    variants: tuple[Variant, ...] | None
    changed: str = ""


def check_build(project: Project, build_folder: Path) -> Checked:
    """Reads files and hashes those whose time or size differ; runs nothing of the task's."""
    record = _read(build_folder / RECORD_FILE)
    if record is None:
        return Checked(None)
    changed = _changed(record, project)
    if changed:
        return Checked(None, changed)
    return Checked(tuple(variant_from(each) for each in record["variants"]))


@dataclass(frozen=True)
class Build:
    """One that was made, from ``started_ns`` of the wall clock on. ``own_device``: the project's
    own was asked for, which its recipe does not name."""

    project: Project
    started_ns: int
    seen: Seen
    given: tuple[Path, ...]
    variants: tuple[Variant, ...]
    own_device: bool = False


def now_ns() -> int:
    return time.time_ns()


def keep_build(build: Build, build_folder: Path) -> str:
    """Writes the record; else says why the next build is not to rely on this one."""
    path = build_folder / RECORD_FILE
    path.unlink(missing_ok=True)
    files = input_files(build.seen, build.project.folder, build.given)
    moved = next((each for each in files if _moved(each, build)), None)
    if moved is not None:
        return f"{moved.name} changed while it was read: the next compress builds again"
    if any(each.failure and each.failure.failure_class != "model" for each in build.variants):
        return "a variant failed for want of resources: the next compress tries again"
    write_whole(path, json.dumps(_record(build, files)).encode())
    return ""


def _moved(path: Path, build: Build) -> bool:
    """Whether someone else wrote the file while the build went on."""
    was_read = str(path) in build.seen.read | build.seen.modules
    own = str(path) in build.seen.written
    return was_read and not own and _state(path).mtime_ns > build.started_ns


def _record(build: Build, files: Iterable[Path]) -> dict[str, Any]:
    states = [_state(path) for path in files]
    names = [each.path for each in states]
    sources = [Path(each.path) for each in states if each.path.endswith(".py")]
    artifacts = [each.artifact for each in build.variants if each.artifact is not None]
    return {
        "schema": _SCHEMA,
        "recipe": _recipe(build.project),
        "devices": list(build.project.devices) if build.own_device else None,
        "interpreter": interpreter(),
        "installed": installed(),
        "trimtab": own_code(),
        "folder": str(Path.cwd()) if build.seen.relative & set(names) else None,
        "environment": environment(mentioned_names(sources)),
        "files": [asdict(each) for each in states],
        "folders": {str(path): listing(path) for path in input_folders(build.seen)},
        "outputs": [asdict(_state(file.path)) for each in artifacts for file in each.files],
        "variants": plain(build.variants),
    }


def _changed(record: Mapping[str, Any], project: Project) -> str:
    """What is not as it was, in a few words; empty: everything is."""
    if record["recipe"] != _recipe(project):
        return f"{project.path.name}: the task or the variants changed"
    if record.get("devices") not in (None, list(project.devices)):
        return f"it was measured on {' '.join(record['devices'])}"
    if record["interpreter"] != interpreter():
        return f"built with {record['interpreter']}"
    if record["installed"] != installed():
        return f"other packages are installed: {_difference(record['installed'], installed())}"
    if record["trimtab"] != own_code():
        return "trimtab itself changed"
    if record["folder"] not in (None, str(Path.cwd())):
        return f"the task reads files from the working folder, which was {record['folder']}"
    now = environment(record["environment"])
    other = next((name for name, value in now.items() if value != record["environment"][name]), "")
    if other:
        return f"environment variable {other} changed"
    return _changed_file(record)


def _changed_file(record: Mapping[str, Any]) -> str:
    for each in record["files"]:
        if not _is_as_it_was(FileState(**each)):
            return f"{_short(each['path'])} changed"
    for path, names in record["folders"].items():
        if not Path(path).is_dir() or listing(Path(path)) != names:
            return f"the files in {_short(path)} changed"
    for each in record["outputs"]:
        if not _is_as_it_was(FileState(**each)):
            return f"{_short(each['path'])} is missing or was changed"
    return ""


def _is_as_it_was(before: FileState) -> bool:
    """Size and time first; only where the time differs is the file read."""
    path = Path(before.path)
    try:
        stat = path.stat()
    except OSError:
        return not before.sha256
    if not before.sha256 or stat.st_size != before.size:
        return False
    return stat.st_mtime_ns == before.mtime_ns or content(path) == before.sha256


def _state(path: Path) -> FileState:
    try:
        stat = path.stat()
    except OSError:
        return FileState(str(path.absolute()), 0, 0, "")
    return FileState(str(path.absolute()), stat.st_size, stat.st_mtime_ns, content(path))


def _recipe(project: Project) -> dict[str, Any]:
    """As JSON gives it back."""
    wanted = {"source": project.source, "seed": project.seed, "variants": project.variants}
    document: dict[str, Any] = json.loads(json.dumps(plain(wanted)))
    return document


def _read(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_text())
        return record if record["schema"] == _SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _difference(before: list[str], now: list[str]) -> str:
    names = sorted(set(before) ^ set(now))
    shown = ", ".join(Path(name).stem for name in names[:_MOST_NAMED])
    return f"{shown}, ..." if len(names) > _MOST_NAMED else shown


def _short(path: str) -> str:
    """As it is called from the working folder."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative
