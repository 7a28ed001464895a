"""Markdown on standard output; what goes on meanwhile on standard error."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from trimtab_agent.cpus import cpu_model

_PACKAGES = ("onnxruntime", "ai-edge-litert", "mlcommons-loadgen", "numpy")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column on the left, the others on the right."""
    rules = ["---", *["---:"] * (len(columns) - 1)]
    for cells in (columns, rules, *rows):
        print("| " + " | ".join(cells) + " |")
    print(flush=True)


def print_heading(text: str) -> None:
    print(f"## {text}\n")
    print(f"{_machine()}\n", flush=True)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def time_text(nanoseconds: float) -> str:
    if nanoseconds < 1e4:
        return f"{nanoseconds / 1e3:.3f} µs"
    if nanoseconds < 1e6:
        return f"{nanoseconds / 1e3:.1f} µs"
    return f"{nanoseconds / 1e6:.3f} ms"


def _machine() -> str:
    versions = [f"{name} {version}" for name in _PACKAGES if (version := _version(name))]
    day = datetime.now(timezone.utc).date().isoformat()
    return (
        f"{day}, {cpu_model(Path('/'))}, {os.cpu_count()} processors, {platform.system()} "
        f"{platform.machine()}, Python {platform.python_version()}, {', '.join(versions)}; "
        f"load average {os.getloadavg()[0]:.2f} at the end"
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
