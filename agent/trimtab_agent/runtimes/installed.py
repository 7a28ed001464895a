"""What is installed, told from files: importing torch to say its version costs seconds."""

from __future__ import annotations

from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from trimtab_agent.runtimes.base import RuntimeMissing


def installed_version(module: str, distribution: str) -> str:
    """Raises RuntimeMissing where the module is not there.

    A module that is there and broken shows when a job imports it.
    """
    if module_folder(module) is None:
        raise RuntimeMissing(f"{module} is not installed (pip install 'trimtab-agent[{module}]')")
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:  # a vendor's build under another distribution name
        return "unknown"


def module_folder(module: str) -> Path | None:
    """Of a top-level module, without importing it."""
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return None
    locations = spec.submodule_search_locations if spec is not None else None
    return next((Path(each) for each in locations), None) if locations else None
