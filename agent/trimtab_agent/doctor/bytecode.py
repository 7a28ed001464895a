"""Whether the runtimes lie compiled on the disk: a worker may write nowhere, so each of them would
compile anew what it imports. pip compiles what it installs; uv does not, nor `pip --no-compile`.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from trimtab_agent.doctor.finding import Finding

_NAME = "bytecode"
_MOST_MISSING = 0.5  # some packages hold templates that are no Python


def bytecode_finding(packages: Sequence[str]) -> Finding:
    """``packages``: of the runtimes, by the names under which they are imported."""
    known = {name: folder for name in packages if (folder := _folder(name))}
    uncompiled = [name for name, folder in known.items() if not _is_compiled(folder)]
    if not known:
        return Finding(_NAME, "unknown", "no runtime here is a package with modules of its own")
    if not uncompiled:
        return Finding(_NAME, "ok", f"compiled: {', '.join(known)}")
    seen = f"not compiled: {', '.join(uncompiled)}; each worker compiles it anew when it starts"
    folders = sorted({str(known[name].parent) for name in uncompiled})
    return Finding(_NAME, "warning", seen, f"{sys.executable} -m compileall -q {' '.join(folders)}")


def _folder(package: str) -> Path | None:
    """Found without importing it, whichever distribution it came with (onnxruntime-gpu)."""
    spec = importlib.util.find_spec(package) if package else None
    places = (spec.submodule_search_locations if spec else None) or ()
    return next(map(Path, places), None)


def _is_compiled(folder: Path) -> bool:
    modules = list(folder.rglob("*.py"))
    missing = sum(
        not Path(importlib.util.cache_from_source(str(each))).exists() for each in modules
    )
    return missing <= _MOST_MISSING * len(modules)
