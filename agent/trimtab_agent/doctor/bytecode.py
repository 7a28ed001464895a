"""Whether the runtimes lie compiled on the disk: a worker may write nowhere, so each of them would
compile anew what it imports. pip compiles what it installs; uv does not, nor `pip --no-compile`.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from trimtab_agent.doctor.finding import Finding

_NAME = "bytecode"
_MOST_MISSING = 0.5  # some packages hold templates that are no Python


def bytecode_finding(packages: Sequence[str]) -> Finding:
    """``packages``: of the runtimes, by the names under which they are installed."""
    known = {name: modules for name in packages if (modules := _modules(name))}
    uncompiled = [name for name, modules in known.items() if not _are_compiled(modules)]
    if not known:
        return Finding(_NAME, "unknown", "no runtime here is a package with modules of its own")
    if not uncompiled:
        return Finding(_NAME, "ok", f"compiled: {', '.join(known)}")
    seen = f"not compiled: {', '.join(uncompiled)}; each worker compiles it anew when it starts"
    folders = sorted({str(metadata.distribution(name).locate_file("")) for name in uncompiled})
    return Finding(_NAME, "warning", seen, f"{sys.executable} -m compileall -q {' '.join(folders)}")


def _modules(package: str) -> list[Path]:
    try:
        files = metadata.files(package) or ()
    except (metadata.PackageNotFoundError, ValueError):
        return []
    return [Path(str(file.locate())) for file in files if file.suffix == ".py"]


def _are_compiled(modules: Sequence[Path]) -> bool:
    missing = sum(
        not Path(importlib.util.cache_from_source(str(each))).exists() for each in modules
    )
    return missing <= _MOST_MISSING * len(modules)
